package temporalx

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
)

// The server spreads a new attribute in seconds; a server that is not up yet may
// take longer.
const (
	firstPoll = 50 * time.Millisecond
	lastPoll  = 2 * time.Second
)

// EnsureSearchAttributes registers contract.SearchAttributes in the namespace,
// where they are missing, and returns when a query with them is understood. It is
// idempotent and may run in several processes at once; a server that does not
// answer yet is waited for until ctx ends.
//
// An attribute that exists with another type is apperr.Conflict; a server that
// does not let this client register is apperr.Forbidden, with the commands for an
// administrator; apperr.Unavailable means that ctx ended first.
func EnsureSearchAttributes(ctx context.Context, c client.Client, namespace string) error {
	wait := firstPoll
	for {
		ready, err := ensureOnce(ctx, c, namespace)
		if ready {
			return nil
		}
		if err != nil && !passing(err) {
			return refusal(err, namespace)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			if err == nil {
				err = ctx.Err()
			}
			return apperr.Wrap(apperr.Unavailable, err,
				"the search attributes of namespace %q are not usable yet: is Temporal up, and the namespace registered?", namespace)
		}
		wait = min(2*wait, lastPoll)
	}
}

// CheckSearchAttributes is nil where all of contract.SearchAttributes are registered in the
// namespace, and changes nothing: apperr.NotFound names the missing ones, apperr.Conflict one
// of another type.
func CheckSearchAttributes(ctx context.Context, c client.Client, namespace string) error {
	listed, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return apperr.Wrap(apperr.Unavailable, err, "the search attributes of namespace %q cannot be listed", namespace)
	}
	missing, err := missingAttributes(listed.GetCustomAttributes())
	if err != nil || len(missing) == 0 {
		return err
	}
	return apperr.New(apperr.NotFound, "namespace %q lacks the search attributes %s", namespace, strings.Join(slices.Sorted(maps.Keys(missing)), ", "))
}

// ensureOnce looks, adds what is missing, and asks a query. The listing alone is
// no proof: it is read from the database, while starts and queries use the
// server's cache of the namespace, which follows seconds later.
func ensureOnce(ctx context.Context, c client.Client, namespace string) (ready bool, err error) {
	listed, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return false, err
	}
	missing, err := missingAttributes(listed.GetCustomAttributes())
	if err != nil {
		return false, err
	}
	if len(missing) > 0 {
		_, err := c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
			Namespace: namespace, SearchAttributes: missing,
		})
		var exists *serviceerror.AlreadyExists
		if err != nil && !errors.As(err, &exists) {
			return false, err
		}
		return false, nil
	}
	_, err = c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Namespace: namespace, Query: probe()})
	var unknown *serviceerror.InvalidArgument
	if errors.As(err, &unknown) {
		return false, nil
	}
	return err == nil, err
}

func missingAttributes(have map[string]enumspb.IndexedValueType) (map[string]enumspb.IndexedValueType, error) {
	missing := map[string]enumspb.IndexedValueType{}
	for _, key := range contract.SearchAttributes() {
		is, ok := have[key.GetName()]
		if !ok {
			missing[key.GetName()] = key.GetValueType()
		} else if is != key.GetValueType() {
			return nil, apperr.New(apperr.Conflict,
				"the search attribute %s exists with type %s but must be %s: remove it (temporal operator search-attribute remove --name %s) and start again",
				key.GetName(), is, key.GetValueType(), key.GetName())
		}
	}
	return missing, nil
}

// probe names every attribute and finds nothing, by way of an index.
func probe() string {
	var q strings.Builder
	q.WriteString("WorkflowId = 'helsebro-search-attributes'")
	for _, key := range contract.SearchAttributes() {
		fmt.Fprintf(&q, " AND %s IS NULL", key.GetName())
	}
	return q.String()
}

// passing tells whether the server may answer otherwise later.
func passing(err error) bool {
	var (
		known         *apperr.Error
		denied        *serviceerror.PermissionDenied
		invalid       *serviceerror.InvalidArgument
		unimplemented *serviceerror.Unimplemented
	)
	return !errors.As(err, &known) && !errors.As(err, &denied) && !errors.As(err, &invalid) && !errors.As(err, &unimplemented)
}

func refusal(err error, namespace string) error {
	var known *apperr.Error
	if errors.As(err, &known) {
		return known
	}
	var commands strings.Builder
	for _, key := range contract.SearchAttributes() {
		fmt.Fprintf(&commands, "\n  temporal operator search-attribute create --namespace %s --name %s --type %s", namespace, key.GetName(), key.GetValueType())
	}
	return apperr.Wrap(apperr.Forbidden, err, "Temporal does not let this process register search attributes; an administrator does:%s\n", commands.String())
}
