package webpush

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
)

const (
	saltBytes = 16
	// recordBytes is the one record's size: every push service takes it (RFC 8291 §4).
	recordBytes = 4096
	// overhead is the record's tag and delimiter, and the header before it.
	overhead = 16 + 1 + saltBytes + 4 + 1 + pointBytes
	// pointBytes is an uncompressed point of P-256.
	pointBytes = 65
	// maxPlain is what fits into 4096 bytes, which is all a push service must take
	// (RFC 8030 §7.2).
	maxPlain = recordBytes - overhead
	// lastRecord delimits the text from its padding (RFC 8188 §2).
	lastRecord = 0x02
)

// encrypt encrypts for a subscription with a key and a salt that are used once.
func encrypt(plain []byte, to Subscription) ([]byte, error) {
	own, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails
	return seal(plain, to, own, salt)
}

// seal is message encryption for Web Push (RFC 8291 §3.4) in the one record of an
// aes128gcm body (RFC 8188).
func seal(plain []byte, to Subscription, own *ecdh.PrivateKey, salt []byte) ([]byte, error) {
	theirs, err := ecdh.P256().NewPublicKey(to.P256dh)
	if err != nil {
		return nil, err
	}
	shared, err := own.ECDH(theirs)
	if err != nil {
		return nil, err
	}
	public := own.PublicKey().Bytes()
	secret, err := hkdf.Key(sha256.New, shared, to.Auth, "WebPush: info\x00"+string(to.P256dh)+string(public), sha256.Size)
	if err != nil {
		return nil, err
	}
	key, err := hkdf.Key(sha256.New, secret, salt, "Content-Encoding: aes128gcm\x00", 16)
	if err != nil {
		return nil, err
	}
	nonce, err := hkdf.Key(sha256.New, secret, salt, "Content-Encoding: nonce\x00", 12)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	body := append(make([]byte, 0, len(plain)+overhead), salt...)
	body = binary.BigEndian.AppendUint32(body, recordBytes)
	body = append(body, pointBytes)
	body = append(body, public...)
	return gcm.Seal(body, nonce, append(append([]byte(nil), plain...), lastRecord), nil), nil
}
