package temporalx

import (
	"bytes"
	"compress/zlib"
	"io"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/proto"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/vault"
)

// What a sealed payload says of itself. Histories carry it: it never changes.
const (
	// encodingEncrypted is the value of the metadata "encoding".
	encodingEncrypted = "binary/encrypted"
	// metadataKeyID names the key of HELSEBRO_CODEC_KEYS that opens the payload.
	metadataKeyID = "helsebro-key-id"
)

const (
	// compressAbove is the size in bytes above which compression pays.
	compressAbove = 1 << 10
	// maxPlain bounds a payload before sealing, in bytes, and so what opening one
	// may inflate to. The server refuses far smaller ones (2 MiB).
	maxPlain = 16 << 20
	// maxKeyIDShown bounds what an error quotes of an id that nobody knows.
	maxKeyIDShown = 64
)

// The first byte of what is sealed.
const (
	plainPayload byte = 0
	zlibPayload  byte = 1
)

// codec seals payloads for one namespace.
//
// The namespace is associated data: a payload that is copied to another namespace
// of the same keys does not open there. It is given when the codec is made, and
// not taken from the SDK's serialization context
// (converter.PayloadCodecWithSerializationContext), because that context is not
// the same everywhere: the replayer's says "ReplayNamespace", Nexus' has none, and
// a converter that is used directly gets none at all. Each of these knows its
// namespace when it makes its converter, and the UI sends X-Namespace with every
// call. A workflow id is not bound: a standalone activity has none, and the UI
// does not send it.
type codec struct {
	keys  vault.Keys
	place string
}

var _ converter.PayloadCodec = (*codec)(nil)

func newCodec(keys vault.Keys, namespace string) *codec {
	return &codec{keys: keys, place: "helsebro/temporal/payload/1\x00" + namespace}
}

// Encode seals each payload, its metadata included, with the current key.
func (c *codec) Encode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	id, key, ok := c.keys.Current()
	if !ok {
		return nil, apperr.New(apperr.Internal, "payloads cannot be sealed: HELSEBRO_CODEC_KEYS holds no key")
	}
	sealed := make([]*commonpb.Payload, len(payloads))
	for i, p := range payloads {
		plain, err := pack(p)
		if err != nil {
			return nil, err
		}
		data, err := key.Seal(plain, c.place)
		if err != nil {
			return nil, err
		}
		sealed[i] = &commonpb.Payload{
			Metadata: map[string][]byte{
				converter.MetadataEncoding: []byte(encodingEncrypted),
				metadataKeyID:              []byte(id),
			},
			Data: data,
		}
	}
	return sealed, nil
}

// Decode opens what Encode made and passes other payloads on: operators send
// signals from the CLI and the UI, which seal nothing.
func (c *codec) Decode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	opened := make([]*commonpb.Payload, len(payloads))
	for i, p := range payloads {
		if string(p.GetMetadata()[converter.MetadataEncoding]) != encodingEncrypted {
			opened[i] = p
			continue
		}
		id := string(p.GetMetadata()[metadataKeyID])
		key, ok := c.keys.Key(id)
		if !ok {
			return nil, apperr.New(apperr.Internal,
				"a payload is sealed with the key %q, which HELSEBRO_CODEC_KEYS does not hold: put it back", id[:min(len(id), maxKeyIDShown)])
		}
		plain, err := key.Open(p.GetData(), c.place)
		if err != nil {
			return nil, apperr.New(apperr.Internal,
				"a payload does not open with the key %q of HELSEBRO_CODEC_KEYS: it was changed, or belongs to another namespace", id)
		}
		if opened[i], err = unpack(plain); err != nil {
			return nil, err
		}
	}
	return opened, nil
}

// pack encodes a payload for sealing, compressed where that makes it smaller:
// compression after encryption would gain nothing.
func pack(p *commonpb.Payload) ([]byte, error) {
	raw, err := proto.Marshal(p)
	if err != nil {
		return nil, apperr.Wrap(apperr.Internal, err, "a payload cannot be encoded")
	}
	if len(raw) > maxPlain {
		return nil, apperr.New(apperr.TooLarge, "a payload of %d bytes is above %d: Temporal carries references, not content", len(raw), maxPlain)
	}
	if len(raw) > compressAbove {
		packed := bytes.NewBuffer(make([]byte, 0, len(raw)/2))
		packed.WriteByte(zlibPayload)
		w := zlib.NewWriter(packed)
		if _, err := w.Write(raw); err != nil {
			return nil, apperr.Wrap(apperr.Internal, err, "a payload cannot be compressed")
		}
		if err := w.Close(); err != nil {
			return nil, apperr.Wrap(apperr.Internal, err, "a payload cannot be compressed")
		}
		if packed.Len() < len(raw) {
			return packed.Bytes(), nil
		}
	}
	return append([]byte{plainPayload}, raw...), nil
}

func unpack(plain []byte) (*commonpb.Payload, error) {
	if len(plain) == 0 {
		return nil, errFormat()
	}
	raw := plain[1:]
	switch plain[0] {
	case plainPayload:
	case zlibPayload:
		r, err := zlib.NewReader(bytes.NewReader(raw))
		if err != nil {
			return nil, errFormat()
		}
		if raw, err = io.ReadAll(io.LimitReader(r, maxPlain+1)); err != nil || len(raw) > maxPlain {
			return nil, errFormat()
		}
	default:
		return nil, errFormat()
	}
	p := new(commonpb.Payload)
	if err := proto.Unmarshal(raw, p); err != nil {
		return nil, errFormat()
	}
	return p, nil
}

func errFormat() error {
	return apperr.New(apperr.Internal, "a sealed payload has a form that this version does not know")
}

// DataConverter is the SDK's default conversion, sealed for the namespace.
func DataConverter(keys vault.Keys, namespace string) converter.DataConverter {
	return converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), newCodec(keys, namespace))
}

// FailureConverter seals the messages, stack traces and details of failures for
// the namespace. Without it they are in every history in clear, whatever the data
// converter does. Types of errors stay readable: they are codes.
func FailureConverter(keys vault.Keys, namespace string) converter.FailureConverter {
	return temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{
		DataConverter:          DataConverter(keys, namespace),
		EncodeCommonAttributes: true,
	})
}

// Converters makes both converters from configuration. Clients, workers and the
// replayer take them from here, so that they always fit each other. namespace is
// the one the histories are from.
func Converters(cfg config.Temporal, namespace string) (converter.DataConverter, converter.FailureConverter, error) {
	keys, err := Keys(cfg)
	if err != nil {
		return nil, nil, err
	}
	return DataConverter(keys, namespace), FailureConverter(keys, namespace), nil
}

// Keys reads the ring that seals payloads. Errors name HELSEBRO_CODEC_KEYS.
//
// It is rotated like the vault's: a new key first, old ones behind it for as long
// as a history sealed with them may be read or replayed. One key seals up to 2³²
// payloads.
func Keys(cfg config.Temporal) (vault.Keys, error) {
	return vault.ParseKeys("HELSEBRO_CODEC_KEYS", cfg.CodecKeys)
}
