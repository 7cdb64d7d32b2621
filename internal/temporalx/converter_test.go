package temporalx

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/proto"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/vault"
)

// ring makes key "id:…" of 32 equal bytes.
func ring(id string, b byte) string {
	return id + ":" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, 32))
}

func keysOf(t testing.TB, ring string) vault.Keys {
	t.Helper()
	keys, err := Keys(config.Temporal{CodecKeys: ring})
	require.NoError(t, err)
	return keys
}

const secret = "SYNTHETIC-PLAINTEXT"

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	dc := DataConverter(keysOf(t, ring("k1", 'a')), "helsebro")
	for _, size := range []int{0, 100, compressAbove, 5 * compressAbove, 100 * compressAbove} {
		in := contract.DialogueInput{ClinicID: secret, DialogueID: strings.Repeat(secret, size/len(secret))}
		sealed, err := dc.ToPayloads(in, secret, nil, []byte(secret))
		require.NoError(t, err)
		raw, err := proto.Marshal(sealed)
		require.NoError(t, err)
		require.NotContains(t, string(raw), secret)
		require.NotContains(t, string(raw), "clinicId", "field names are sealed as well")
		require.NotContains(t, string(raw), "json/plain", "and so is the metadata")
		for _, p := range sealed.Payloads {
			require.Equal(t, map[string][]byte{"encoding": []byte("binary/encrypted"), "helsebro-key-id": []byte("k1")}, p.Metadata)
		}

		var out contract.DialogueInput
		var text string
		var null *int
		var raws []byte
		require.NoError(t, dc.FromPayloads(sealed, &out, &text, &null, &raws))
		require.Equal(t, in, out)
		require.Equal(t, secret, text)
		require.Nil(t, null)
		require.Equal(t, secret, string(raws))
		require.Contains(t, dc.ToString(sealed.Payloads[1]), secret)
	}
}

// A nonce (the 12 bytes behind the version) is never used twice, in two converters of one
// key either.
func TestEqualPayloadsLookDifferent(t *testing.T) {
	t.Parallel()
	keys := keysOf(t, ring("k1", 'a'))
	one, other := DataConverter(keys, "helsebro"), DataConverter(keys, "helsebro")
	nonces := map[string]bool{}
	for range 5000 {
		for _, dc := range []converter.DataConverter{one, other} {
			p, err := dc.ToPayload(secret)
			require.NoError(t, err)
			nonce := string(p.Data[1:13])
			require.False(t, nonces[nonce])
			nonces[nonce] = true
		}
	}
}

func TestCompression(t *testing.T) {
	t.Parallel()
	dc := DataConverter(keysOf(t, ring("k1", 'a')), "helsebro")
	size := func(v any) int {
		p, err := dc.ToPayload(v)
		require.NoError(t, err)
		var out []byte
		require.NoError(t, dc.FromPayload(p, &out))
		require.Equal(t, v, out)
		return len(p.Data)
	}
	require.Less(t, size(bytes.Repeat([]byte("a"), 50_000)), 1000)
	require.Greater(t, size(bytes.Repeat([]byte("a"), compressAbove/2)), compressAbove/2, "small ones are left alone")
	noise := make([]byte, 5000)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	require.Less(t, size(noise), len(noise)+200, "what does not shrink is not compressed")

	_, err := dc.ToPayload(make([]byte, maxPlain))
	require.True(t, apperr.Is(err, apperr.TooLarge), err)
}

// A state at its legal maximum stays below what a payload may be.
func TestPayloadOfManyIDsFits(t *testing.T) {
	t.Parallel()
	dc := DataConverter(keysOf(t, ring("k1", 'a')), "helsebro")
	var ids []string
	for i := range contract.MaxSeenIDs {
		ids = append(ids, fmt.Sprintf("%08x-1234-4321-8765-%012x", rand.Uint32(), i))
	}
	p, err := dc.ToPayload(contract.LoadDialogueOutput{Seen: ids})
	require.NoError(t, err)
	require.Less(t, proto.Size(p), contract.MaxPayloadBytes)
}

func TestNamespaceIsBound(t *testing.T) {
	t.Parallel()
	keys := keysOf(t, ring("k1", 'a'))
	p, err := DataConverter(keys, "helsebro").ToPayload(secret)
	require.NoError(t, err)
	var out string
	err = DataConverter(keys, "other").FromPayload(p, &out)
	require.ErrorContains(t, err, "another namespace")
	require.Empty(t, out)
}

// The SDK's serialization context changes nothing: the replayer's names a
// namespace of its own.
func TestSerializationContextIsIgnored(t *testing.T) {
	t.Parallel()
	dc := DataConverter(keysOf(t, ring("k1", 'a')), "helsebro")
	p, err := dc.ToPayload(secret)
	require.NoError(t, err)
	for _, c := range []converter.SerializationContext{
		converter.WorkflowSerializationContext{Namespace: "ReplayNamespace", WorkflowID: "w"},
		converter.ActivitySerializationContext{Namespace: "helsebro"},
		converter.NexusSerializationContext{},
	} {
		var out string
		require.NoError(t, converter.WithDataConverterSerializationContext(dc, c).FromPayload(p, &out))
		require.Equal(t, secret, out)
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	before := DataConverter(keysOf(t, ring("k1", 'a')), "helsebro")
	during := DataConverter(keysOf(t, ring("k2", 'b')+","+ring("k1", 'a')), "helsebro")
	after := DataConverter(keysOf(t, ring("k2", 'b')), "helsebro")
	old, err := before.ToPayload(secret)
	require.NoError(t, err)
	made, err := during.ToPayload(secret)
	require.NoError(t, err)
	require.Equal(t, "k2", string(made.Metadata["helsebro-key-id"]))

	var out string
	require.NoError(t, during.FromPayload(old, &out))
	require.NoError(t, during.FromPayload(made, &out))
	require.NoError(t, after.FromPayload(made, &out))
	err = after.FromPayload(old, &out)
	require.EqualError(t, err, `a payload is sealed with the key "k1", which HELSEBRO_CODEC_KEYS does not hold: put it back`)
	require.True(t, apperr.Is(err, apperr.Internal), "retried: the key may come back, and nothing is lost until then")
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	keys := keysOf(t, ring("k1", 'a'))
	c := newCodec(keys, "helsebro")
	sealed, err := c.Encode([]*commonpb.Payload{{Data: []byte(secret)}})
	require.NoError(t, err)
	good := sealed[0]
	_, key, _ := keys.Current()
	form := func(plain ...byte) []byte {
		data, err := key.Seal(plain, c.place)
		require.NoError(t, err)
		return data
	}
	bomb, err := pack(&commonpb.Payload{Data: make([]byte, maxPlain-100)})
	require.NoError(t, err)
	require.Equal(t, zlibPayload, bomb[0])
	_, err = unpack(bomb)
	require.NoError(t, err, "the largest that is sealed opens")

	for name, data := range map[string][]byte{
		"empty":            nil,
		"cut":              good.Data[:len(good.Data)-1],
		"changed":          append(bytes.Clone(good.Data[:len(good.Data)-1]), good.Data[len(good.Data)-1]^1),
		"sealed elsewhere": mustSeal(t, key, "elsewhere"),
		"no form":          form(),
		"unknown form":     form(9, 1, 2),
		"no zlib":          form(zlibPayload, 1, 2, 3),
		"cut zlib":         form(bomb[:100]...),
		"no payload":       form(plainPayload, 0xff, 0xff),
	} {
		p := &commonpb.Payload{Metadata: good.Metadata, Data: data}
		_, err := c.Decode([]*commonpb.Payload{good, p})
		require.Truef(t, apperr.Is(err, apperr.Internal), "%s: %v", name, err)
		require.NotContains(t, err.Error(), secret)
	}
	_, err = newCodec(vault.Keys{}, "helsebro").Encode([]*commonpb.Payload{{}})
	require.ErrorContains(t, err, "HELSEBRO_CODEC_KEYS")

	long := &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte(encodingEncrypted), metadataKeyID: bytes.Repeat([]byte("x"), 5000)}}
	_, err = c.Decode([]*commonpb.Payload{long})
	require.Less(t, len(err.Error()), 300)
}

func mustSeal(t *testing.T, key vault.DataKey, place string) []byte {
	t.Helper()
	data, err := key.Seal([]byte{plainPayload}, place)
	require.NoError(t, err)
	return data
}

// What the CLI or the UI sends in clear is read as it is.
func TestPlainPayloadsPass(t *testing.T) {
	t.Parallel()
	p, err := converter.GetDefaultDataConverter().ToPayload("plain")
	require.NoError(t, err)
	var out string
	require.NoError(t, DataConverter(keysOf(t, ring("k1", 'a')), "helsebro").FromPayload(p, &out))
	require.Equal(t, "plain", out)
}

func TestFailuresAreSealed(t *testing.T) {
	t.Parallel()
	keys := keysOf(t, ring("k1", 'a'))
	fc := FailureConverter(keys, "helsebro")
	cause := temporal.NewApplicationErrorWithOptions("cause "+secret, "cause-type", temporal.ApplicationErrorOptions{Details: []any{secret}})
	in := temporal.NewApplicationErrorWithOptions("message "+secret, string(apperr.Conflict), temporal.ApplicationErrorOptions{
		NonRetryable: true, Cause: cause, Details: []any{secret, map[string]string{"state": secret}},
	})
	failure := fc.ErrorToFailure(in)
	// A stack trace comes with a panic; the server hands it to the converter as here.
	failure.Cause.StackTrace = "main.go " + secret
	require.NoError(t, converter.EncodeCommonFailureAttributes(DataConverter(keys, "helsebro"), failure.Cause))

	raw, err := proto.Marshal(failure)
	require.NoError(t, err)
	require.NotContains(t, string(raw), secret)
	require.Equal(t, "Encoded failure", failure.Message)
	require.Empty(t, failure.StackTrace)
	require.Equal(t, "conflict", failure.GetApplicationFailureInfo().GetType(), "types are codes and stay readable")

	var out *temporal.ApplicationError
	require.ErrorAs(t, fc.FailureToError(failure), &out)
	require.Equal(t, "message "+secret, out.Message())
	require.True(t, out.NonRetryable())
	var detail string
	require.NoError(t, out.Details(&detail, new(map[string]string)))
	require.Equal(t, secret, detail)

	other := FailureConverter(keys, "other").FailureToError(fc.ErrorToFailure(in))
	require.NotContains(t, other.Error(), secret)

	plain := fc.ErrorToFailure(errors.New("plain " + secret))
	raw, err = proto.Marshal(plain)
	require.NoError(t, err)
	require.NotContains(t, string(raw), secret)
}

func TestConverters(t *testing.T) {
	t.Parallel()
	data, failure, err := Converters(config.Temporal{CodecKeys: ring("k1", 'a')}, "helsebro")
	require.NoError(t, err)
	p, err := data.ToPayload(secret)
	require.NoError(t, err)
	require.Equal(t, encodingEncrypted, string(p.Metadata["encoding"]))
	require.EqualError(t, failure.FailureToError(failure.ErrorToFailure(errors.New("m"))), "m")

	_, _, err = Converters(config.Temporal{CodecKeys: "k1:short"}, "helsebro")
	require.ErrorContains(t, err, "HELSEBRO_CODEC_KEYS")
	require.True(t, apperr.Is(err, apperr.Invalid))
}

func FuzzDecode(f *testing.F) {
	c := newCodec(keysOf(f, ring("k1", 'a')), "helsebro")
	sealed, err := c.Encode([]*commonpb.Payload{{Data: []byte(secret)}})
	require.NoError(f, err)
	f.Add(sealed[0].Data)
	f.Add([]byte{zlibPayload, 0x78, 0x9c})
	f.Fuzz(func(t *testing.T, data []byte) {
		p := &commonpb.Payload{Metadata: sealed[0].Metadata, Data: data}
		if opened, err := c.Decode([]*commonpb.Payload{p}); err == nil {
			require.Equal(t, secret, string(opened[0].Data), "only what was sealed opens")
		}
		// Behind the seal nothing may panic either.
		_, _ = unpack(data)
	})
}

func BenchmarkEncode(b *testing.B) {
	c := newCodec(keysOf(b, ring("k1", 'a')), "helsebro")
	in := []*commonpb.Payload{{Data: bytes.Repeat([]byte("a"), 300)}}
	for b.Loop() {
		sealed, err := c.Encode(in)
		require.NoError(b, err)
		_, err = c.Decode(sealed)
		require.NoError(b, err)
	}
}
