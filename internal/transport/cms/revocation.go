package cms

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Limits of what is fetched about revoked certificates.
const (
	maxListBytes = 32 << 20
	maxLists     = 64
	listTimeout  = 30 * time.Second
	// listRetry is how long a list that could not be read is not asked for again.
	listRetry = time.Minute
)

// RevocationLists are issuers' lists of revoked certificates, each kept until it says that
// the next one is there. It is safe for concurrent use.
type RevocationLists struct {
	client *http.Client

	mu    sync.Mutex
	lists map[string]*revocationList
}

// revocationList is a list, or that it could not be read.
type revocationList struct {
	mu      sync.Mutex // held while it is fetched
	issuer  []byte
	serials map[string]bool
	until   time.Time
	failed  time.Time // when it could not be read, zero when it could
}

// NewRevocationLists makes an empty cache.
func NewRevocationLists() *RevocationLists {
	return &RevocationLists{lists: map[string]*revocationList{}, client: &http.Client{
		Timeout: listTimeout, // the lists are public and signed: any way to them is right
		// The address is in a certificate whose issuer is trusted; where that server would
		// send us is not.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// check tells whether the issuer has revoked the certificate.
func (l *RevocationLists) check(ctx context.Context, cert, issuer *x509.Certificate, now time.Time) Findings {
	found := RevocationUnknown
	for _, url := range cert.CRLDistributionPoints {
		if !strings.HasPrefix(url, "http://") && !strings.HasPrefix(url, "https://") {
			continue // lists in LDAP are also on the web
		}
		list := l.at(url)
		switch revoked, err := list.has(ctx, l.client, url, cert, issuer, now); {
		case err == nil && revoked:
			return Revoked
		case err == nil:
			return 0
		case errors.Is(err, errNotTheIssuers):
		default:
			found = RevocationUnreachable
		}
	}
	return found
}

// at is the list of an address. The oldest one makes place for a new one.
func (l *RevocationLists) at(url string) *revocationList {
	l.mu.Lock()
	defer l.mu.Unlock()
	if list := l.lists[url]; list != nil {
		return list
	}
	if len(l.lists) == maxLists {
		oldest := ""
		for u, list := range l.lists {
			if oldest == "" || list.until.Before(l.lists[oldest].until) {
				oldest = u
			}
		}
		delete(l.lists, oldest)
	}
	list := &revocationList{}
	l.lists[url] = list
	return list
}

var errNotTheIssuers = errors.New("the list of revoked certificates is not that of the certificate's issuer")

// has tells whether the certificate is on the list, which is fetched when it is old.
func (r *revocationList) has(ctx context.Context, client *http.Client, url string, cert, issuer *x509.Certificate, now time.Time) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.serials == nil || !now.Before(r.until) {
		if now.Sub(r.failed) < listRetry {
			return false, errors.New("the list could not be read a moment ago")
		}
		if err := r.fetch(ctx, client, url, issuer, now); err != nil {
			if ctx.Err() == nil && !errors.Is(err, errNotTheIssuers) {
				r.failed = now
			}
			return false, err
		}
	}
	if string(r.issuer) != string(issuer.RawSubject) {
		return false, errNotTheIssuers
	}
	return r.serials[string(cert.SerialNumber.Bytes())], nil
}

func (r *revocationList) fetch(ctx context.Context, client *http.Client, url string, issuer *x509.Certificate, now time.Time) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // it is read to its end, or given up
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the list's server answered %s", res.Status)
	}
	der, err := io.ReadAll(io.LimitReader(res.Body, maxListBytes+1))
	if err != nil {
		return err
	}
	if len(der) > maxListBytes {
		return fmt.Errorf("the list has more than %d bytes", maxListBytes)
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return err
	}
	if list.CheckSignatureFrom(issuer) != nil {
		return errNotTheIssuers
	}
	if !now.Before(list.NextUpdate) {
		return errors.New("the list is out of date")
	}
	r.issuer, r.until, r.failed = issuer.RawSubject, list.NextUpdate, time.Time{}
	r.serials = make(map[string]bool, len(list.RevokedCertificateEntries))
	for _, e := range list.RevokedCertificateEntries {
		r.serials[string(e.SerialNumber.Bytes())] = true
	}
	return nil
}
