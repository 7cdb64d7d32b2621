package amqp

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
)

// Config is how the broker is reached.
type Config struct {
	// URL is amqps://user:password@host:5671/exchange, or amqp:// without TLS for a broker
	// on this machine. The exchange is Norsk helsenett's, in its letters; its name is not a
	// virtual host.
	URL string
	// AddressVersion is 1 (RabbitMQ 3, and 4 where it is still permitted) or 2 (RabbitMQ 4).
	AddressVersion int
	// Modified releases messages as modified, so that the broker counts the failure
	// (RabbitMQ 4). RabbitMQ 3 ends the session at that.
	Modified bool
	// TLS is for amqps; nil has the system's roots, TLS 1.2 or newer.
	TLS *tls.Config
	// IdleTimeout is how long the connection may be silent before it counts as lost; 0 is half
	// a minute.
	IdleTimeout time.Duration
	// System names this installation to the counterpart (X-SystemIdentifier), "" does not.
	System string
	// AnswerWithin is how long the broker may take over anything that it is asked; 0 is a
	// minute.
	AnswerWithin time.Duration
	Logger       *slog.Logger
}

// address is the broker's address, who logs in, and the exchange that messages go to.
type address struct {
	url            string // without user and path
	user, password string
	exchange       string
	version        int
}

// parse reads a Config's URL. Errors are apperr.Invalid and quote nothing of it: it has a
// password.
func (c Config) parse() (address, error) {
	wrong := func(rule string) (address, error) {
		return address{}, apperr.InvalidFields("the broker's URL cannot be used", apperr.Field{Path: "HELSEBRO_AMQP_URL", Rule: rule})
	}
	u, err := url.Parse(c.URL)
	switch {
	case err != nil:
		return wrong("a URL such as amqps://user:password@host:5671/exchange, with user and password percent-encoded")
	case u.Scheme != "amqps" && u.Scheme != "amqp":
		return wrong("amqps:// (or amqp:// on this machine)")
	case u.Hostname() == "":
		return wrong("it names the broker's host")
	case u.Scheme == "amqp" && !onThisMachine(u.Hostname()):
		return wrong("amqps://, since the password travels with it: amqp:// is for a broker on this machine")
	case u.RawQuery != "" || u.Fragment != "":
		return wrong("it ends with the exchange")
	}
	exchange := strings.TrimSuffix(strings.TrimPrefix(u.Path, "/"), "/")
	if strings.Contains(exchange, "/") {
		return wrong("the exchange is one name, such as NHNTestServiceBus")
	}
	if c.AddressVersion != 1 && c.AddressVersion != 2 {
		return address{}, apperr.InvalidFields("the broker's addresses are of no version that is known",
			apperr.Field{Path: "HELSEBRO_AMQP_ADDRESS_VERSION", Rule: "1 or 2"})
	}
	a := address{url: u.Scheme + "://" + u.Host, exchange: exchange, version: c.AddressVersion, user: u.User.Username()}
	a.password, _ = u.User.Password()
	return a, nil
}

func onThisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// target is where messages to a queue are sent.
func (a address) target(queue string) string {
	switch {
	case a.version == 2 && a.exchange != "":
		return "/exchanges/" + url.PathEscape(a.exchange) + "/" + url.PathEscape(queue)
	case a.version == 2:
		return "/queues/" + url.PathEscape(queue)
	case a.exchange != "":
		return "/exchange/" + escaped(a.exchange) + "/" + escaped(queue)
	default:
		return a.source(queue)
	}
}

// source is where the messages of a queue are received.
func (a address) source(queue string) string {
	if a.version == 2 {
		return "/queues/" + url.PathEscape(queue)
	}
	return "/amq/queue/" + escaped(queue)
}

// escaped escapes what would end a segment of an address of version 1.
func escaped(name string) string { return strings.ReplaceAll(name, "/", "%2F") }
