package temporalx

import (
	"context"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
)

// fakeServer behaves like a server whose namespace cache follows its database.
type fakeServer struct {
	client.Client
	operatorservice.OperatorServiceClient
	have map[string]enumspb.IndexedValueType
	// downUntil and cachedAt are instants of the bubble's clock.
	downUntil, cachedAt time.Time
	listErr, addErr     error
	// overtaken says that another process registers at the same time.
	overtaken           bool
	lists, adds, counts int
}

const cacheDelay = 10 * time.Second

func (f *fakeServer) OperatorService() operatorservice.OperatorServiceClient { return f }

func (f *fakeServer) ListSearchAttributes(_ context.Context, in *operatorservice.ListSearchAttributesRequest, _ ...grpc.CallOption) (*operatorservice.ListSearchAttributesResponse, error) {
	f.lists++
	if time.Now().Before(f.downUntil) {
		return nil, serviceerror.NewUnavailable("down")
	}
	if f.listErr != nil {
		return nil, f.listErr
	}
	if in.Namespace != "helsebro" {
		return nil, serviceerror.NewInvalidArgument("namespace")
	}
	return &operatorservice.ListSearchAttributesResponse{CustomAttributes: maps.Clone(f.have)}, nil
}

func (f *fakeServer) AddSearchAttributes(_ context.Context, in *operatorservice.AddSearchAttributesRequest, _ ...grpc.CallOption) (*operatorservice.AddSearchAttributesResponse, error) {
	f.adds++
	if f.overtaken {
		f.have = all()
	}
	if f.addErr != nil {
		return nil, f.addErr
	}
	maps.Copy(f.have, in.SearchAttributes)
	f.cachedAt = time.Now().Add(cacheDelay)
	return &operatorservice.AddSearchAttributesResponse{}, nil
}

func (f *fakeServer) CountWorkflow(_ context.Context, in *workflowservice.CountWorkflowExecutionsRequest) (*workflowservice.CountWorkflowExecutionsResponse, error) {
	f.counts++
	for name := range f.have {
		if !strings.Contains(in.Query, name) {
			return nil, serviceerror.NewInternal("the query does not ask for " + name)
		}
	}
	if time.Now().Before(f.cachedAt) {
		return nil, serviceerror.NewInvalidArgument("invalid query: HelsebroClinic is not defined")
	}
	return &workflowservice.CountWorkflowExecutionsResponse{}, nil
}

func all() map[string]enumspb.IndexedValueType {
	have := map[string]enumspb.IndexedValueType{}
	for _, key := range contract.SearchAttributes() {
		have[key.GetName()] = key.GetValueType()
	}
	return have
}

func ensure(t *testing.T, f *fakeServer) error {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return EnsureSearchAttributes(ctx, f, "helsebro")
}

func TestSearchAttributesAreRegisteredOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		f := &fakeServer{have: map[string]enumspb.IndexedValueType{}, downUntil: began.Add(5 * time.Second)}
		require.NoError(t, ensure(t, f))
		require.Equal(t, all(), f.have)
		require.Equal(t, 1, f.adds)
		require.GreaterOrEqual(t, time.Since(began), 5*time.Second+cacheDelay, "listed is not usable")

		lists := f.lists
		require.NoError(t, ensure(t, f))
		require.Equal(t, 1, f.adds, "idempotent")
		require.Equal(t, lists+1, f.lists)
	})
}

func TestSearchAttributesThatAreThere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		some := all()
		delete(some, contract.AttrState.GetName())
		f := &fakeServer{have: some}
		require.NoError(t, ensure(t, f))
		require.Equal(t, all(), f.have)

		// Another process was faster: its attributes are found by the next look.
		f = &fakeServer{have: map[string]enumspb.IndexedValueType{}, overtaken: true, addErr: serviceerror.NewAlreadyExists("exists")}
		require.NoError(t, ensure(t, f))
	})
}

func TestSearchAttributeOfAnotherType(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		have := all()
		have["HelsebroState"] = enumspb.INDEXED_VALUE_TYPE_TEXT
		f := &fakeServer{have: have}
		err := ensure(t, f)
		require.True(t, apperr.Is(err, apperr.Conflict), err)
		require.ErrorContains(t, err, "HelsebroState exists with type Text but must be Keyword")
		require.Zero(t, f.adds)
	})
}

func TestSearchAttributesMayNotBeRegistered(t *testing.T) {
	t.Parallel()
	for _, refused := range []error{
		serviceerror.NewPermissionDenied("no", ""), serviceerror.NewUnimplemented("no"), serviceerror.NewInvalidArgument("too many"),
	} {
		synctest.Test(t, func(t *testing.T) {
			for _, f := range []*fakeServer{{listErr: refused}, {addErr: refused}} {
				began := time.Now()
				err := ensure(t, f)
				require.True(t, apperr.Is(err, apperr.Forbidden), err)
				require.ErrorContains(t, err, "search-attribute create --namespace helsebro --name HelsebroClinic --type Keyword")
				require.Zero(t, time.Since(began), "no use in waiting")
			}
		})
	}
}

func TestSearchAttributesWaitIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		f := &fakeServer{have: all(), downUntil: began.Add(time.Hour)}
		err := ensure(t, f)
		require.True(t, apperr.Is(err, apperr.Unavailable), err)
		require.ErrorContains(t, err, `namespace "helsebro"`)
		require.Equal(t, time.Minute, time.Since(began))
		require.Less(t, f.lists, 50, "the pauses grow")
	})
}
