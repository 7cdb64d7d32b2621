package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStopTimesFitIntoEachOther(t *testing.T) {
	t.Parallel()
	require.Less(t, WorkerStopTimeout, StopTimeout)
	require.Less(t, StopTimeout, ContainerGracePeriod)
}

func TestValidateNamesEverySetting(t *testing.T) {
	t.Setenv("HELSEBRO_DATABASE_URL", "")
	_, err := Load[Worker]()
	require.Error(t, err)
	for _, name := range []string{"HELSEBRO_DATABASE_URL", "HELSEBRO_VAULT_KEYS", "HELSEBRO_VAULT_INDEX_KEY", "HELSEBRO_CODEC_KEYS", "HELSEBRO_REGISTRY_FILE"} {
		require.ErrorContains(t, err, name)
	}
	_, err = Load[Serve]()
	require.ErrorContains(t, err, "HELSEBRO_JWKS_FILE")
}

func TestHealthListensOnTheLoopbackUnlessTold(t *testing.T) {
	c, err := Load[Listen]()
	require.Error(t, err, "the required settings are not given")
	require.Equal(t, "127.0.0.1:8237", c.Health.Addr)

	t.Setenv("HELSEBRO_HEALTH_ADDR", "nowhere")
	_, err = Load[Worker]()
	require.ErrorContains(t, err, `HELSEBRO_HEALTH_ADDR is "nowhere": give host:port`)
}
