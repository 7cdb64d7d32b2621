package config

import (
	"reflect"
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
	for _, name := range []string{"HELSEBRO_DATABASE_URL", "HELSEBRO_VAULT_KEYS", "HELSEBRO_VAULT_INDEX_KEY", "HELSEBRO_CODEC_KEYS", "HELSEBRO_REGISTRY_FILE", "HELSEBRO_HELSENORGE_HER_ID"} {
		require.ErrorContains(t, err, name)
	}
	_, err = Load[Serve]()
	require.ErrorContains(t, err, "HELSEBRO_JWKS_FILE")
}

// TestWhatIsOfAnotherTypeIsNamed: beside whatever else is wrong, by the setting's own name,
// and without the value.
func TestWhatIsOfAnotherTypeIsNamed(t *testing.T) {
	for name, value := range map[string]string{
		"HELSEBRO_DATABASE_MAX_CONNS": "plenty", "HELSEBRO_RECEIPT_DUE": "soon", "HELSEBRO_SMS_TIMEOUT": "now", "HELSEBRO_CHECK_REVOCATION": "perhaps",
		"HELSEBRO_PUSH_PER_SECOND": "a few", "HELSEBRO_SMTP_TLS": "plain",
	} {
		t.Setenv(name, value)
	}
	t.Setenv("HELSEBRO_SMTP_ADDR", "127.0.0.1:25")
	_, err := Load[Worker]()
	for _, want := range []string{
		"HELSEBRO_DATABASE_MAX_CONNS cannot be read: give a number", "HELSEBRO_RECEIPT_DUE cannot be read: give a duration such as 30s or 4h",
		"HELSEBRO_SMS_TIMEOUT cannot be read", "HELSEBRO_CHECK_REVOCATION cannot be read: give true or false", "HELSEBRO_PUSH_PER_SECOND cannot be read",
		"HELSEBRO_VAULT_KEYS is not set", `HELSEBRO_SMTP_TLS is "plain"`,
	} {
		require.ErrorContains(t, err, want)
	}
	require.NotContains(t, err.Error(), "plenty")
}

func TestTheScannerIsOffUnlessNamed(t *testing.T) {
	c, err := Load[Serve]()
	require.Error(t, err, "the required settings are not given")
	require.Empty(t, c.Scan.ClamAVAddr)
	require.NotContains(t, err.Error(), "HELSEBRO_CLAMAV_ADDR")

	t.Setenv("HELSEBRO_CLAMAV_ADDR", "clamd")
	_, err = Load[Serve]()
	require.ErrorContains(t, err, `HELSEBRO_CLAMAV_ADDR is "clamd": give host:port`)
}

func TestACodecServerWithoutLoginIsForAUIOnThisMachine(t *testing.T) {
	t.Parallel()
	for origin, allowed := range map[string]bool{
		"http://127.0.0.1:8233": true, "http://localhost:8233": true, "http://[::1]:8233": true,
		"https://temporal.helsebro.example": false, "http://10.0.0.1:8233": false, "http://localhost.helsebro.example": false, "http://127.0.0.1.helsebro.example": false,
	} {
		c := Codec{Addr: "127.0.0.1:8234", UIOrigin: origin}
		require.NoError(t, c.check(), origin)
		c.WithoutLogin = true
		if err := c.check(); allowed {
			require.NoError(t, err, origin)
		} else {
			require.ErrorContains(t, err, "HELSEBRO_CODEC_WITHOUT_LOGIN", origin)
		}
	}
}

func TestHealthListensOnTheLoopbackUnlessTold(t *testing.T) {
	c, err := Load[Listen]()
	require.Error(t, err, "the required settings are not given")
	require.Equal(t, "127.0.0.1:8237", c.Health.Addr)

	t.Setenv("HELSEBRO_HEALTH_ADDR", "nowhere")
	_, err = Load[Worker]()
	require.ErrorContains(t, err, `HELSEBRO_HEALTH_ADDR is "nowhere": give host:port`)
}

// TestActivityCheckIsAskedOverTLS: national ids go there.
func TestActivityCheckIsAskedOverTLS(t *testing.T) {
	t.Parallel()
	for url, right := range map[string]bool{
		"": true, "https://helsenorge.example": true, "http://127.0.0.1:8236": true, "ftp://helsenorge.example": false, "helsenorge": false,
	} {
		err := Activity{Transport: "loopback", URL: url}.check()
		require.Equal(t, right, err == nil, url)
	}
	require.ErrorContains(t, Activity{Transport: "amqp", URL: "http://helsenorge.example"}.check(), "HELSEBRO_ACTIVITY_URL must be an https URL")
}

// TestSyntheticNumbersAreNamed: a misspelt register would let nobody be written to.
func TestSyntheticNumbersAreNamed(t *testing.T) {
	t.Parallel()
	database := Database{URL: "postgres://x", MaxConns: 2}
	require.NoError(t, database.check())
	database.Synthetic = []string{"tenor", "nhn", "dolly"}
	require.NoError(t, database.check())
	database.Synthetic = []string{"tenner"}
	require.ErrorContains(t, database.check(), "HELSEBRO_SYNTHETIC_NUMBERS")
	require.ErrorContains(t, database.check(), "tenor, nhn or dolly")
}

// TestEachTransportNamesWhatItNeeds: going to Norsk helsenett is configuration, and what of
// it is missing is said at once.
func TestEachTransportNamesWhatItNeeds(t *testing.T) {
	for _, c := range []struct {
		set     map[string]string
		missing []string
	}{
		{map[string]string{"HELSEBRO_TRANSPORT": "amqp"}, []string{"HELSEBRO_AMQP_URL", "HELSEBRO_KEYS_DIR", "HELSEBRO_REGISTRY_FILE"}},
		{map[string]string{"HELSEBRO_TRANSPORT": "pigeon"}, []string{`HELSEBRO_TRANSPORT is "pigeon": set amqp, or loopback`}},
		{map[string]string{"HELSEBRO_TRANSPORT": "amqp", "HELSEBRO_AMQP_ADDRESS_VERSION": "3", "HELSEBRO_AMQP_RELEASE": "never", "HELSEBRO_AMQP_CA_FILE": "/none", "HELSEBRO_KEYS_DIR": "/none"},
			[]string{"set 1 (RabbitMQ 3) or 2 (RabbitMQ 4)", "set released (RabbitMQ 3) or modified (RabbitMQ 4)", "HELSEBRO_AMQP_CA_FILE", "HELSEBRO_KEYS_DIR", "HELSEBRO_TRUSTED_CERTIFICATES"}},
		{map[string]string{"HELSEBRO_REGISTRY": "soap"}, []string{"HELSEBRO_REGISTRY_USER and HELSEBRO_REGISTRY_PASSWORD", "HELSEBRO_REGISTRY_URL"}},
		{map[string]string{"HELSEBRO_REGISTRY": "rest", "HELSEBRO_REGISTRY_URL": "https://cpe.example"}, []string{"HELSEBRO_HELSEID_TOKEN_URL"}},
		{map[string]string{"HELSEBRO_REGISTRY": "ldap", "HELSEBRO_REGISTRY_STALE": "1m"}, []string{"set file, soap or rest", "HELSEBRO_REGISTRY_STALE"}},
		{map[string]string{"HELSEBRO_CPPA_URL": "https://cppa.example"}, []string{"which the registry of agreements wants tokens of"}},
		{map[string]string{"HELSEBRO_HELSEID_TOKEN_URL": "http://helseid.example"}, []string{"HELSEBRO_HELSEID_TOKEN_URL must be an https URL", "HELSEBRO_HELSEID_CLIENT_ID", "HELSEBRO_HELSEID_KEY_FILE"}},
	} {
		t.Run("", func(t *testing.T) {
			for name, value := range c.set {
				t.Setenv(name, value)
			}
			_, err := Load[Listen]()
			for _, m := range c.missing {
				require.ErrorContains(t, err, m)
			}
		})
	}
}

// TestTheHTTPProcessHoldsNoKey: who reaches the API from outside reaches no key that signs or
// decrypts.
func TestTheHTTPProcessHoldsNoKey(t *testing.T) {
	t.Parallel()
	var holds func(reflect.Type) bool
	holds = func(typ reflect.Type) bool {
		if typ == reflect.TypeFor[Keys]() || typ == reflect.TypeFor[AMQP]() {
			return true
		}
		if typ.Kind() == reflect.Struct {
			for i := range typ.NumField() {
				if holds(typ.Field(i).Type) {
					return true
				}
			}
		}
		return false
	}
	require.False(t, holds(reflect.TypeFor[Serve]()))
	require.True(t, holds(reflect.TypeFor[Worker]()))
	require.True(t, holds(reflect.TypeFor[Listen]()))
}
