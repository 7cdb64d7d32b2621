package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

// maxMessageFile is the largest file that is read as a message, in bytes: more than
// Helsenorge's queue takes.
const maxMessageFile = 24 << 20

func messageCommand(env Environment) *cobra.Command {
	return parent("message", "Check and show messages of Helsenorge's dialogue, from files", messageCheckCommand(env), messageShowCommand(env))
}

func messageCheckCommand(env Environment) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "check FILE...",
		Short: "Say whether messages follow the standard, and if not, where",
		Long: `check reads messages and receipts, and says of each on one line whether it follows
the standard: the official schemas, and what HITS 1217 demands beyond them.
Nothing of the patient is printed. - reads from standard input.

Of a process that a GP does not use the schemas' verdict is told, with the problem
"unsupported". The problems are codes of kodeverk 8221 (T01, T02, T10, E10, E36), or:
  unsupported   the process, or its code, is not read in full
  not-a-uuid    a reference that should be a MsgId is none, and is not shown
  unreadable    the file cannot be read
  too-large     the file is larger than any message may be

With --json each line is an object: file, valid, process, function, code, msgId,
conversation, parent, senderHerId, receiverHerId, patientIdType, attachments (mime,
size), problems (code, path, text). function is the Go type of the content.

Exit codes: 0 all are valid, 1 some are not, 2 wrong use.`,
		Example: `  helsebro message check incoming/*.xml
  helsebro message check --json - < message.xml`,
		Args: cobra.MinimumNArgs(1),
		RunE: runs(func(cmd *cobra.Command, args []string) error {
			bad := 0
			var buf bytes.Buffer
			for _, name := range args {
				if err := cmd.Context().Err(); err != nil {
					return err
				}
				r := check(name, env.In, &buf)
				if !r.Valid {
					bad++
				}
				if err := r.print(env.Out, asJSON); err != nil {
					return err
				}
			}
			if bad > 0 {
				return fmt.Errorf("%d of %d not valid", bad, len(args))
			}
			return nil
		}),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return c
}

// checked is what is told of a file. Nothing in it is the patient's.
type checked struct {
	File          string              `json:"file"`
	Valid         bool                `json:"valid"`
	Process       string              `json:"process"`
	Function      string              `json:"function"`
	Code          string              `json:"code"`
	MsgID         string              `json:"msgId"`
	Conversation  string              `json:"conversation"`
	Parent        string              `json:"parent"`
	SenderHerID   int                 `json:"senderHerId"`
	ReceiverHerID int                 `json:"receiverHerId"`
	PatientIDType string              `json:"patientIdType"`
	Attachments   []checkedAttachment `json:"attachments"`
	Problems      []checkedProblem    `json:"problems"`
}

type checkedAttachment struct {
	MIME string `json:"mime"`
	Size int64  `json:"size"`
}

type checkedProblem struct {
	Code string `json:"code"`
	Path string `json:"path"`
	Text string `json:"text"`
}

func (c *checked) problem(code, path, text string) {
	c.Problems = append(c.Problems, checkedProblem{code, path, text})
}

// check reads a file into buf and says what it is.
func check(name string, stdin io.Reader, buf *bytes.Buffer) checked {
	c := checked{File: name, Attachments: []checkedAttachment{}, Problems: []checkedProblem{}}
	raw, err := readMessageFile(name, stdin, buf)
	if err != nil {
		c.problem(err.code, "", err.text)
		return c
	}
	m, problems := helsenorge.Read(raw)
	c.Valid = len(problems) == 0
	for _, p := range problems {
		c.problem(p.Code, p.Path, p.Rule)
	}
	if m == nil {
		return c
	}
	c.head(m)
	content, known := m.Content()
	switch {
	case m.Receipt != nil:
		c.Function, c.Code = "Receipt", m.Receipt.Status.V
		c.Parent = c.id(m.Receipt.OriginalMsgID, "AppRec/OriginalMsgId/Id")
		if !codes.Has(codes.ReceiptStatus, c.Code) {
			c.Code = ""
		}
		return c
	case known:
		c.Function = helsenorge.ContentName(content)
	}
	if m.Dialog != nil {
		if f := m.Dialog.Function(); codes.Has(codes.Requests, f) || codes.Has(codes.Answers, f) || codes.Has(codes.TestCodes, f) {
			c.Code = f
		}
	}
	switch {
	case c.Process == "":
		c.problem("unsupported", "MsgHead/MsgInfo/Type", "the process is not one of kodeverk 8279, and is not shown")
	case !m.ReadInFull():
		c.problem("unsupported", "MsgHead/MsgInfo/Type", "the process is not one that a GP uses: the schemas have judged the message, and nobody else")
		// What is asked of a GP's processes beyond the schemas is not asked of others.
		c.Valid = true
		for _, p := range problems {
			c.Valid = c.Valid && p.Code != codes.NotWellFormed && p.Code != codes.SchemaBroken
		}
		if slices.Contains(m.Unknown, "?") {
			c.Valid = false
			c.problem(codes.FormatUnsupported, "MsgHead/Document/RefDoc/Content", "a document is of no published format")
		}
	case !known && c.Valid:
		c.problem("unsupported", "MsgHead/Document/RefDoc/Content/Dialogmelding", "the process does not have the message's code")
	}
	return c
}

// head takes over what the head says, as far as it can be nobody's name.
func (c *checked) head(m *helsenorge.Message) {
	h := m.Head
	if codes.Known(h.Process) {
		c.Process = h.Process
	}
	if isMsgID(h.MsgID) { // E10 has said so where it is none
		c.MsgID = h.MsgID
	}
	c.Conversation = c.id(h.RefToConversation, "MsgHead/MsgInfo/ConversationRef/RefToConversation")
	c.Parent = c.id(h.RefToParent, "MsgHead/MsgInfo/ConversationRef/RefToParent")
	c.SenderHerID, c.ReceiverHerID = h.Sender.HerID(), h.Receiver.HerID()
	if h.Patient != nil {
		c.PatientIDType = h.Patient.IDType
	}
	for _, a := range m.Attachments {
		c.Attachments = append(c.Attachments, checkedAttachment{a.MIME, a.Size()})
	}
}

// id is a MsgId that may be shown, and "" with a problem for anything else.
func (c *checked) id(id, path string) string {
	if id == "" || isMsgID(id) {
		return id
	}
	c.problem("not-a-uuid", path, "the reference is no UUID, and is not shown")
	return ""
}

func (c *checked) print(w io.Writer, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		return e.Encode(c)
	}
	verdict := "valid"
	if !c.Valid {
		verdict = "not valid"
	}
	line := []string{oneLine(c.File) + ": " + verdict}
	if what := strings.Join(strings.Fields(c.Process+" "+c.Code+" "+c.Function), " "); what != "" {
		line = append(line, what)
	}
	if c.SenderHerID != 0 || c.ReceiverHerID != 0 {
		line = append(line, fmt.Sprintf("from %d to %d", c.SenderHerID, c.ReceiverHerID))
	}
	for i, p := range c.Problems {
		if i == 3 {
			line = append(line, fmt.Sprintf("and %d more", len(c.Problems)-i))
			break
		}
		line = append(line, strings.TrimSpace(p.Code+" "+p.Path)+": "+p.Text)
	}
	_, err := fmt.Fprintln(w, strings.Join(line, "; "))
	return err
}

// fileError is why a file is no message that can be looked at.
type fileError struct{ code, text string }

// readMessageFile reads a file, or standard input for "-", as far as a message can go,
// into buf, which is as large as the file: a message's attachments are most of it.
func readMessageFile(name string, stdin io.Reader, buf *bytes.Buffer) ([]byte, *fileError) {
	in := stdin
	buf.Reset()
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, &fileError{"unreadable", "the file cannot be opened: " + withoutPath(err)}
		}
		defer f.Close() //nolint:errcheck // read only
		if info, err := f.Stat(); err == nil && info.Size() <= maxMessageFile && int(info.Size()) > buf.Cap()-bytes.MinRead {
			*buf = *bytes.NewBuffer(make([]byte, 0, int(info.Size())+bytes.MinRead))
		}
		in = f
	}
	_, err := buf.ReadFrom(io.LimitReader(in, maxMessageFile+1))
	switch {
	case err != nil:
		return nil, &fileError{"unreadable", "the file cannot be read: " + withoutPath(err)}
	case buf.Len() > maxMessageFile:
		return nil, &fileError{"too-large", fmt.Sprintf("the file has more than %d bytes: no message may be so large", maxMessageFile)}
	}
	return buf.Bytes(), nil
}

// withoutPath is an error of the file system without the path, which stands before it.
func withoutPath(err error) string {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// isMsgID tells whether an id has the form that the standard gives it: then it is nobody's
// name.
func isMsgID(id string) bool { return len(id) == len(uuid.Nil.String()) && uuid.Validate(id) == nil }

func messageShowCommand(env Environment) *cobra.Command {
	var reveal bool
	c := &cobra.Command{
		Use:   "show FILE",
		Short: "Show a message as people read it",
		Long: `show reads one message or receipt and shows what it says: who writes to whom, in
which process and conversation, with its appointments, prescriptions and files. What
is the patient's or was written stands as its length; --reveal shows it.
- reads from standard input. A message that is not valid is shown as far as it was
read, with its problems.

Exit codes: 0 shown, 1 it cannot be read, 2 wrong use.`,
		Example: `  helsebro message show message.xml
  helsebro message show --reveal message.xml`,
		Args: cobra.ExactArgs(1),
		RunE: runs(func(_ *cobra.Command, args []string) error {
			return showMessage(env, args[0], reveal)
		}),
	}
	c.Flags().BoolVar(&reveal, "reveal", false, "show the patient and what was written, too")
	return c
}

func showMessage(env Environment, name string, reveal bool) error {
	raw, failed := readMessageFile(name, env.In, new(bytes.Buffer))
	if failed != nil {
		return errors.New(failed.text)
	}
	m, problems := helsenorge.Read(raw)
	s := shown{reveal: reveal}
	if m != nil {
		s.message(m)
	}
	for _, p := range problems {
		s.line("problem", strings.TrimSpace(p.Code+" "+p.Path)+": "+p.Rule)
	}
	if _, err := io.WriteString(env.Out, s.b.String()); err != nil {
		return err
	}
	if m == nil {
		return errors.New("the file is no message that can be shown")
	}
	return nil
}
