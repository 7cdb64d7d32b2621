package channel

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"syscall"
)

// Cause tells in few words why a connection failed. The errors of the network name
// whom they tried to reach, which may be a patient's device; this one does not.
func Cause(err error) error {
	for _, end := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, end) {
			return end
		}
	}
	if n, ok := errors.AsType[net.Error](err); ok && n.Timeout() {
		return context.DeadlineExceeded
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return errors.New("the server's name does not resolve")
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return errors.New("the server's certificate is not trusted")
	}
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return number
	}
	return errors.New("the connection failed or was lost")
}
