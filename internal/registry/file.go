package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/domain/activation"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/transport/cms"
)

// File is a registry in a YAML file:
//
//	parties:
//	  - herId: 8143547
//	    name: Solvik legesenter AS
//	    member: true
//	    employees: [8143561, 8143562]
//	    certificates:
//	      - use: signing
//	        validFrom: 2026-01-01
//	        validUntil: 2028-12-31T12:00:00Z
//	      - file: certificates/solvik-encryption.pem
//	  - herId: 8143548
//	    name: Solvik legesenter
//	    parentHerId: 8143547
//	    asyncQueue: 8143548_async
//	    errorQueue: 8143548_error
//	    processes: [DIALOG_INNBYGGER_EKONSULTASJON]
//	  - herId: 8143549
//	    name: Live Lege
//	    parentHerId: 8143547
//	    hpr: 9144889
//	    asyncQueue: 8143548_async
//	    errorQueue: 8143548_error
//
// A party with an hpr is that practitioner's own, as every GP on a list has one.
//
// A queue may be written as the registry's whole address
// (host/exchange/queue); what follows the last slash is its name.
//
// Member, employees and certificates are an organisation's, which has no parent: whether
// it is a member of Norsk helsenett, the HER-ids of its people who are no parties
// themselves, and the enterprise certificates, one to sign with and one to encrypt to.
// A certificate is good from validFrom until validUntil; a date is its midnight in UTC. In
// its place may stand a PEM file, beside this one, that has the certificate: what it is for
// and when is read there, and messages are signed and encrypted with it.
// A file that says nothing of them is read, and its organisations are no members.
type File struct {
	path string

	mu    sync.Mutex
	seen  fs.FileInfo
	known map[int]Party
	order []int
	err   error
}

var _ Registry = (*File)(nil)

// Open reads the file. The error is apperr.Invalid, which names every faulty line,
// or apperr.Unavailable when there is nothing to read.
func Open(path string) (*File, error) {
	f := &File{path: path}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.refresh(); err != nil {
		return nil, err
	}
	return f, nil
}

// Party implements Registry. A changed file is read again; while it is faulty,
// every answer is apperr.Unavailable, since an old answer could be a wrong one.
func (f *File) Party(_ context.Context, herID int) (Party, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.refresh(); err != nil {
		return Party{}, apperr.Wrap(apperr.Unavailable, err, "the address registry's file cannot be read: repair it")
	}
	p, ok := f.known[herID]
	if !ok {
		return Party{}, apperr.New(apperr.NotFound, "HER-id %d is not in the address registry", herID)
	}
	return p.clone(), nil
}

// clone is a copy that shares nothing.
func (p Party) clone() Party {
	p.Processes, p.Employees, p.Certificates = slices.Clone(p.Processes), slices.Clone(p.Employees), slices.Clone(p.Certificates)
	p.X509, p.CertificateFiles = slices.Clone(p.X509), slices.Clone(p.CertificateFiles)
	return p
}

// Parties returns all parties in the file's order, as last read.
func (f *File) Parties() []Party {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]Party, len(f.order))
	for i, id := range f.order {
		out[i] = f.known[id].clone()
	}
	return out
}

// refresh reads the file if it has changed since the last time.
func (f *File) refresh() error {
	info, err := os.Stat(f.path)
	if err != nil {
		f.seen = nil
		return apperr.Wrap(apperr.Unavailable, err, "the address registry cannot be read")
	}
	if f.seen != nil && os.SameFile(info, f.seen) && info.ModTime().Equal(f.seen.ModTime()) && info.Size() == f.seen.Size() {
		return f.err
	}
	raw, err := os.ReadFile(f.path)
	if err != nil {
		f.seen = nil
		return apperr.Wrap(apperr.Unavailable, err, "the address registry cannot be read")
	}
	parties, err := parse(f.path, raw)
	if f.seen, f.err = info, err; err != nil {
		return err
	}
	f.known, f.order = make(map[int]Party, len(parties)), make([]int, len(parties))
	for i, p := range parties {
		f.known[p.HerID], f.order[i] = p, p.HerID
	}
	return nil
}

// entry is a party in YAML.
type entry struct {
	HerID          int               `yaml:"herId"`
	Name           string            `yaml:"name"`
	ParentHerID    int               `yaml:"parentHerId,omitempty"`
	AsyncQueue     string            `yaml:"asyncQueue,omitempty"`
	SyncQueue      string            `yaml:"syncQueue,omitempty"`
	SyncReplyQueue string            `yaml:"syncReplyQueue,omitempty"`
	ErrorQueue     string            `yaml:"errorQueue,omitempty"`
	Processes      []string          `yaml:"processes,omitempty,flow"`
	HPR            string            `yaml:"hpr,omitempty"`
	Member         bool              `yaml:"member,omitempty"`
	Employees      []int             `yaml:"employees,omitempty,flow"`
	Certificates   []certificateLine `yaml:"certificates,omitempty"`
}

// certificateLine is a certificate in YAML.
type certificateLine struct {
	Use        string    `yaml:"use,omitempty"`
	ValidFrom  time.Time `yaml:"validFrom,omitempty"`
	ValidUntil time.Time `yaml:"validUntil,omitempty"`
	File       string    `yaml:"file,omitempty"`
}

// line is a party as it is written.
func line(p Party) entry {
	e := entry{
		HerID: p.HerID, Name: p.Name, ParentHerID: p.ParentHerID, AsyncQueue: p.AsyncQueue, SyncQueue: p.SyncQueue, SyncReplyQueue: p.SyncReplyQueue,
		ErrorQueue: p.ErrorQueue, Processes: p.Processes, HPR: p.HPR, Member: p.Member, Employees: p.Employees,
	}
	for _, file := range p.CertificateFiles {
		e.Certificates = append(e.Certificates, certificateLine{File: file})
	}
	if len(p.CertificateFiles) == 0 {
		for _, c := range p.Certificates {
			e.Certificates = append(e.Certificates, certificateLine{Use: c.Use, ValidFrom: c.ValidFrom, ValidUntil: c.ValidUntil})
		}
	}
	return e
}

// Write writes a file that Open reads, in one step: a reader sees the old one or
// the new one. It refuses what Open would refuse.
func Write(path string, parties []Party) error {
	out := struct {
		Parties []entry `yaml:"parties"`
	}{Parties: make([]entry, len(parties))}
	for i, p := range parties {
		out.Parties[i] = line(p)
	}
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(out), enc.Close()); err != nil {
		return apperr.Wrap(apperr.Internal, err, "the address registry cannot be written")
	}
	if _, err := parse(path, b.Bytes()); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return apperr.Wrap(apperr.Unavailable, err, "the address registry cannot be written")
	}
	defer os.Remove(tmp.Name()) //nolint:errcheck // it is gone already when all went well
	_, err = tmp.Write(b.Bytes())
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return apperr.Wrap(apperr.Unavailable, err, "the address registry cannot be written")
	}
	return nil
}

// queueName is what a broker accepts everywhere without quoting.
var queueName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}$`)

// hprNumber is how practitioners are numbered.
var hprNumber = regexp.MustCompile(`^[0-9]{7,9}$`)

// deadLetters is the suffix of the dead-letter queues of the loopback transport.
const deadLetters = ".dead"

// parser collects what is wrong, by line.
type parser struct {
	path     string
	problems []error
	herIDs   map[int]int       // HER-id to line
	queues   map[string]string // queue to the field that uses it
}

func (p *parser) add(n *yaml.Node, format string, args ...any) {
	p.problems = append(p.problems, fmt.Errorf("%s:%d: %s", p.path, n.Line, fmt.Sprintf(format, args...)))
}

func parse(path string, raw []byte) ([]Party, error) {
	p := &parser{path: path, herIDs: map[int]int{}, queues: map[string]string{}}
	parties := p.document(raw)
	if len(p.problems) > 0 {
		return nil, apperr.Wrap(apperr.Invalid, errors.Join(p.problems...), "the address registry is faulty")
	}
	return parties, nil
}

func (p *parser) document(raw []byte) (parties []Party) {
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the file is empty: write parties: and a list")
		}
		p.problems = append(p.problems, fmt.Errorf("%s: %w", p.path, err))
		return nil
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		p.problems = append(p.problems, fmt.Errorf("%s: the file holds one document, and more follows", p.path))
		return nil
	}
	p.fields(doc.Content[0], map[string]func(*yaml.Node){"parties": func(list *yaml.Node) {
		if list.Kind != yaml.SequenceNode || len(list.Content) == 0 {
			p.add(list, "parties is a list with at least one party")
			return
		}
		for _, item := range list.Content {
			parties = append(parties, p.party(item))
		}
	}}, "parties")
	return parties
}

// fields reads a mapping: each key once, only known ones, all required ones.
func (p *parser) fields(n *yaml.Node, known map[string]func(*yaml.Node), required ...string) {
	if n.Kind != yaml.MappingNode {
		p.add(n, "fields are expected here, as name: value")
		return
	}
	seen := map[string]bool{}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		read, ok := known[key.Value]
		switch {
		case !ok:
			p.add(key, "%q is not a field here", key.Value)
		case seen[key.Value]:
			p.add(key, "%s stands twice", key.Value)
		default:
			read(value)
		}
		seen[key.Value] = true
	}
	for _, key := range required {
		if !seen[key] {
			p.add(n, "%s is missing", key)
		}
	}
}

func (p *parser) party(n *yaml.Node) (out Party) {
	p.fields(n, map[string]func(*yaml.Node){
		"herId": func(v *yaml.Node) {
			if p.number(v, "herId", &out.HerID); out.HerID == 0 {
				return
			}
			if line, ok := p.herIDs[out.HerID]; ok {
				p.add(v, "HER-id %d stands on line %d already", out.HerID, line)
			}
			p.herIDs[out.HerID] = v.Line
		},
		"name": func(v *yaml.Node) {
			if out.Name = strings.TrimSpace(v.Value); v.Kind != yaml.ScalarNode || out.Name == "" {
				p.add(v, "name is a text")
			}
		},
		"parentHerId":    func(v *yaml.Node) { p.number(v, "parentHerId", &out.ParentHerID) },
		"asyncQueue":     func(v *yaml.Node) { out.AsyncQueue = p.queue(v, "asyncQueue") },
		"syncQueue":      func(v *yaml.Node) { out.SyncQueue = p.queue(v, "syncQueue") },
		"syncReplyQueue": func(v *yaml.Node) { out.SyncReplyQueue = p.queue(v, "syncReplyQueue") },
		"errorQueue":     func(v *yaml.Node) { out.ErrorQueue = p.queue(v, "errorQueue") },
		"processes":      func(v *yaml.Node) { out.Processes = p.processes(v) },
		"hpr": func(v *yaml.Node) {
			if out.HPR = v.Value; v.Kind != yaml.ScalarNode || !hprNumber.MatchString(v.Value) {
				p.add(v, "hpr is a practitioner's number of 7 to 9 digits")
			}
		},
		"member":       func(v *yaml.Node) { p.member(v, &out.Member) },
		"employees":    func(v *yaml.Node) { out.Employees = p.employees(v) },
		"certificates": func(v *yaml.Node) { p.certificates(v, &out) },
	}, "herId", "name")
	if n.Kind == yaml.MappingNode {
		if out.HerID != 0 && out.ParentHerID == out.HerID {
			p.add(n, "a party is not its own parent")
		}
		if (out.AsyncQueue == "") != (out.ErrorQueue == "") || (out.SyncQueue+out.SyncReplyQueue != "") && out.AsyncQueue == "" {
			p.add(n, "a party that receives has both asyncQueue and errorQueue; an organisation that does not has no queue at all")
		}
		if out.ParentHerID == 0 && out.HPR != "" {
			p.add(n, "hpr is of a practitioner's own party, which has a parentHerId")
		}
		if out.ParentHerID != 0 && (out.Member || len(out.Employees)+len(out.Certificates) > 0) {
			p.add(n, "member, employees and certificates are an organisation's, which has no parentHerId")
		}
	}
	return out
}

func (p *parser) number(v *yaml.Node, field string, out *int) {
	n, err := strconv.Atoi(v.Value)
	if v.Kind != yaml.ScalarNode || err != nil || n <= 0 {
		p.add(v, "%s is a whole number above zero", field)
		return
	}
	*out = n
}

// queue reads a queue's name, the last part of an address. One name serves one
// kind only: what stands on an error queue is never answered.
func (p *parser) queue(v *yaml.Node, field string) string {
	name := v.Value[strings.LastIndexByte(v.Value, '/')+1:]
	if v.Kind != yaml.ScalarNode || !queueName.MatchString(name) || strings.HasSuffix(name, deadLetters) {
		p.add(v, "%s is a queue's name of letters, digits, _ . and -, not ending in %s", field, deadLetters)
		return ""
	}
	if used, ok := p.queues[name]; ok && used != field {
		p.add(v, "queue %s is an %s above and cannot be an %s too", name, used, field)
		return ""
	}
	p.queues[name] = field
	return name
}

func (p *parser) processes(v *yaml.Node) (out []string) {
	if v.Kind != yaml.SequenceNode {
		p.add(v, "processes is a list of codes of kodeverk 8279")
		return nil
	}
	for _, item := range v.Content {
		switch {
		case item.Kind != yaml.ScalarNode || !codes.Known(item.Value):
			p.add(item, "%q is not a code of kodeverk 8279", item.Value)
		case slices.Contains(out, item.Value):
			p.add(item, "%s stands twice", item.Value)
		default:
			out = append(out, item.Value)
		}
	}
	return out
}

func (p *parser) member(v *yaml.Node, out *bool) {
	if v.Kind != yaml.ScalarNode || v.Value != "true" && v.Value != "false" {
		p.add(v, "member is true or false")
		return
	}
	*out = v.Value == "true"
}

func (p *parser) employees(v *yaml.Node) (out []int) {
	if v.Kind != yaml.SequenceNode {
		p.add(v, "employees is a list of HER-ids")
		return nil
	}
	for _, item := range v.Content {
		id := 0
		if p.number(item, "an employee's HER-id", &id); id == 0 {
			continue
		}
		if slices.Contains(out, id) {
			p.add(item, "HER-id %d stands twice", id)
			continue
		}
		out = append(out, id)
	}
	return out
}

func (p *parser) certificates(v *yaml.Node, out *Party) {
	if v.Kind != yaml.SequenceNode {
		p.add(v, "certificates is a list of files, or of use, validFrom and validUntil")
		return
	}
	for _, item := range v.Content {
		if item.Kind == yaml.MappingNode && len(item.Content) == 2 && item.Content[0].Value == "file" {
			p.certificateFile(item.Content[1], out)
			continue
		}
		var c activation.Certificate
		p.fields(item, map[string]func(*yaml.Node){
			"use": func(v *yaml.Node) {
				if c.Use = v.Value; c.Use != activation.UseSigning && c.Use != activation.UseEncryption {
					p.add(v, "use is %s or %s", activation.UseSigning, activation.UseEncryption)
				}
			},
			"validFrom":  func(v *yaml.Node) { p.instant(v, "validFrom", &c.ValidFrom) },
			"validUntil": func(v *yaml.Node) { p.instant(v, "validUntil", &c.ValidUntil) },
		}, "use", "validFrom", "validUntil")
		if !c.ValidFrom.IsZero() && !c.ValidUntil.IsZero() && !c.ValidFrom.Before(c.ValidUntil) {
			p.add(item, "validUntil is after validFrom")
		}
		out.Certificates = append(out.Certificates, c)
	}
}

// certificateFile reads the certificates of a PEM file.
func (p *parser) certificateFile(v *yaml.Node, out *Party) {
	path := v.Value
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(p.path), path)
	}
	all, err := cms.LoadCertificates(path)
	if err != nil {
		p.add(v, "%v", err)
		return
	}
	out.CertificateFiles = append(out.CertificateFiles, v.Value)
	for _, c := range all {
		out.X509 = append(out.X509, c)
		for use, usage := range map[string]cms.Usage{activation.UseSigning: cms.ForSigning, activation.UseEncryption: cms.ForEncryption} {
			if usage.Has(c) {
				out.Certificates = append(out.Certificates, activation.Certificate{Use: use, ValidFrom: c.NotBefore, ValidUntil: c.NotAfter})
			}
		}
	}
	slices.SortStableFunc(out.Certificates, func(a, b activation.Certificate) int { return strings.Compare(b.Use, a.Use) })
}

// instant reads an instant, or a date as its midnight in UTC.
func (p *parser) instant(v *yaml.Node, field string, out *time.Time) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, v.Value); err == nil && v.Kind == yaml.ScalarNode {
			*out = t.UTC()
			return
		}
	}
	p.add(v, "%s is an instant such as 2026-12-31T12:00:00Z, or a date", field)
}
