package apperr

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
)

func TestToTemporal(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{Invalid, NotFound, Conflict, Unauthenticated, Forbidden, TooLarge, Unsupported, Erased, Duplicate, Stale, Busy, Unavailable, Internal} {
		err := ToTemporal(fmt.Errorf("outer: %w", New(kind, "cause and way out")))
		app, ok := err.(*temporal.ApplicationError)
		require.Truef(t, ok, "%s: the ApplicationError must be outermost, got %T", kind, err)
		require.Equal(t, string(kind), app.Type())
		require.Equal(t, !kind.Retryable(), app.NonRetryable())
		require.Equal(t, kind, KindOf(FromTemporal(fmt.Errorf("client: %w", err))))
	}
}

func TestCausesStayBehind(t *testing.T) {
	t.Parallel()
	err := ToTemporal(Wrap(Unavailable, errors.New("secret of a driver"), "the database did not answer"))
	require.NotContains(t, err.Error(), "secret")
	require.NotContains(t, ToTemporal(errors.New("secret of a driver")).Error(), "secret")
}

func TestStateAndFieldsCross(t *testing.T) {
	t.Parallel()
	in := &Error{Kind: Conflict, Message: "m", State: "answered", Fields: []Field{{Path: "body.code", Rule: "12 or 13"}}}
	var out *Error
	require.ErrorAs(t, FromTemporal(ToTemporal(in)), &out)
	require.Equal(t, in, out)
}

func TestCancellationPasses(t *testing.T) {
	t.Parallel()
	require.ErrorIs(t, ToTemporal(context.Canceled), context.Canceled)
	require.NoError(t, ToTemporal(nil))
	require.NoError(t, FromTemporal(nil))
}
