package stack

import (
	"context"
	"encoding/base64"
	"time"

	"github.com/helsebro/helsebro/internal/channel/sink"
	"github.com/helsebro/helsebro/internal/channel/sms"
	"github.com/helsebro/helsebro/internal/config"
)

// smsKey is the bearer token that the sink's gateway knows the stack by: nothing leaves
// this machine.
const smsKey = "development"

// startSink starts the mail server, the SMS gateway and the push service that take
// what the clinic sends to patients.
func (s *Stack) startSink(context.Context) error {
	secret, err := base64.StdEncoding.DecodeString(s.keys.SMSCallback)
	if err != nil {
		return err
	}
	s.Sink, err = sink.Open(sink.Config{
		MailAddr: s.addr(s.Ports.Mail), HTTPAddr: s.addr(s.Ports.Sink), CallbackKeys: sms.Keys{secret}, SMSKey: smsKey, Logger: s.Logger,
	})
	if err != nil {
		return err
	}
	s.onStop("the patients' sink", func(context.Context) error { return s.Sink.Close() })
	return nil
}

// channels are the clinic's own channels: all of them end in the sink.
func (s *Stack) channels() config.Channels {
	return config.Channels{
		SMTP: config.SMTP{Addr: s.addr(s.Ports.Mail), TLS: config.TLSNone, From: "Demo senter <ikke-svar@demo.example>", Timeout: time.Minute, PerSecond: s.PerSecond},
		SMS: config.SMS{
			URL: "http://" + s.addr(s.Ports.Sink) + "/sms", Key: smsKey, From: "DemoSenter", Timeout: 30 * time.Second,
			CallbackURL: s.APIURL() + "/v1/callbacks/sms", PerSecond: s.PerSecond,
		},
		WebPush: config.WebPush{Key: s.keys.VAPID, Subject: "mailto:drift@demo.example", Timeout: 30 * time.Second, PerSecond: s.PerSecond},
		Local:   true,
	}
}
