package cms

import (
	"bufio"
	"errors"
	"io"
	"math"
	"slices"
)

// Limits of what is held in memory of a message's structure. Its content is streamed.
const (
	// maxElement bounds one element that is read whole: the recipients, a signer.
	maxElement = 256 << 10
	// maxDepth bounds how deep elements stand in each other.
	maxDepth = 32
	// bufferSize is how much of the content is worked on at a time.
	bufferSize = 32 << 10
)

// The classes and forms of BER's first octet.
const (
	constructed    = 0x20
	classContext   = 0x80
	tagInteger     = 0x02
	tagOctetString = 0x04
	tagOID         = 0x06
	tagSequence    = 0x30
	tagSet         = 0x31
	tagExplicit0   = classContext | constructed
	tagImplicit0   = classContext
	tagExplicit1   = classContext | constructed | 1
	indefinite     = -1
	endOfContents  = 0
	maxLengthBytes = 8
)

// errForm says that bytes are no BER, or not the structure that is expected.
var errForm = errors.New("the structure is not that of a CMS message")

// berReader reads BER as a stream: definite and indefinite lengths, also longer ones
// than needed. DER is a subset.
type berReader struct {
	r *bufio.Reader
	// ends are what is left of each open element, the innermost last; indefinite for
	// one that ends with end-of-contents.
	ends []int64
}

func newBERReader(r io.Reader) *berReader { return &berReader{r: bufio.NewReaderSize(r, bufferSize)} }

// left is how much of the innermost element there is, or indefinite.
func (b *berReader) left() int64 {
	if len(b.ends) == 0 {
		return indefinite
	}
	return b.ends[len(b.ends)-1]
}

// took counts n octets as read of every open element.
func (b *berReader) took(n int64) error {
	for i, e := range b.ends {
		if e == indefinite {
			continue
		}
		if e < n {
			return errForm
		}
		b.ends[i] = e - n
	}
	return nil
}

func (b *berReader) octet() (byte, error) {
	if err := b.took(1); err != nil {
		return 0, err
	}
	c, err := b.r.ReadByte()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return c, err
}

// header reads the first octet and the length of the next element.
func (b *berReader) header() (tag byte, length int64, err error) {
	if tag, err = b.octet(); err != nil {
		return 0, 0, err
	}
	if tag&0x1f == 0x1f {
		return 0, 0, errForm // nothing in CMS has so high a number
	}
	first, err := b.octet()
	switch {
	case err != nil:
		return 0, 0, err
	case first < 0x80:
		length = int64(first)
	case first == 0x80:
		if tag&constructed == 0 {
			return 0, 0, errForm
		}
		return tag, indefinite, nil
	case first&0x7f > maxLengthBytes:
		return 0, 0, errForm
	default:
		for range first & 0x7f {
			c, err := b.octet()
			if err != nil {
				return 0, 0, err
			}
			if length > math.MaxInt64>>8 {
				return 0, 0, errForm
			}
			length = length<<8 | int64(c)
		}
	}
	if left := b.left(); left != indefinite && length > left {
		return 0, 0, errForm
	}
	return tag, length, nil
}

// enter opens the next element, which has the tag.
func (b *berReader) enter(tag byte) error {
	got, length, err := b.header()
	if err != nil {
		return err
	}
	if got != tag || len(b.ends) == maxDepth {
		return errForm
	}
	b.ends = append(b.ends, length)
	return nil
}

// leave closes the innermost element, of which nothing may be left.
func (b *berReader) leave() error {
	last := len(b.ends) - 1
	left := b.ends[last]
	b.ends = b.ends[:last]
	if left == indefinite {
		for range 2 {
			if c, err := b.octet(); err != nil || c != endOfContents {
				return cmpErr(err)
			}
		}
		return nil
	}
	if left != 0 {
		return errForm
	}
	return nil
}

func cmpErr(err error) error {
	if err == nil {
		return errForm
	}
	return err
}

// next tells the first octet of the next element, and 0 at the end of the innermost.
func (b *berReader) next() (byte, error) {
	if b.left() == 0 {
		return 0, nil
	}
	p, err := b.r.Peek(1)
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, err
	}
	return p[0], nil
}

// skip passes over the next element.
func (b *berReader) skip() error { _, err := b.element(nil, 0, false); return err }

// whole reads the next element to memory, as DER.
func (b *berReader) whole(tag byte) ([]byte, error) {
	got, err := b.next()
	if err != nil {
		return nil, err
	}
	if got != tag {
		return nil, errForm
	}
	return b.element(nil, 0, true)
}

// element appends the next element to der, as DER, when it is kept.
func (b *berReader) element(der []byte, depth int, keep bool) ([]byte, error) {
	if depth == maxDepth {
		return nil, errForm
	}
	tag, length, err := b.header()
	if err != nil {
		return nil, err
	}
	if length != indefinite && (!keep || tag&constructed == 0) {
		if !keep {
			return nil, b.copy(io.Discard, length)
		}
		if length > maxElement-int64(len(der)) {
			return nil, errForm
		}
		der = appendHeader(der, tag, int(length))
		at := len(der)
		der = slices.Grow(der, int(length))[:at+int(length)]
		if err := b.took(length); err != nil {
			return nil, err
		}
		_, err := io.ReadFull(b.r, der[at:])
		return der, err
	}
	if len(b.ends) == maxDepth {
		return nil, errForm
	}
	b.ends = append(b.ends, length)
	var content []byte
	for {
		c, err := b.next()
		if err != nil {
			return nil, err
		}
		if c == endOfContents {
			break
		}
		if content, err = b.element(content, depth+1, keep); err != nil {
			return nil, err
		}
		if len(content)+len(der) > maxElement {
			return nil, errForm
		}
	}
	if err := b.leave(); err != nil {
		return nil, err
	}
	if !keep {
		return nil, nil
	}
	if tag == tagOctetString|constructed {
		if content, err = joined(content); err != nil {
			return nil, err
		}
		tag = tagOctetString
	}
	return append(appendHeader(der, tag, len(content)), content...), nil
}

// joined is the content of octet strings one after the other.
func joined(parts []byte) (all []byte, err error) {
	for len(parts) > 0 {
		var part []byte
		if part, parts, err = split(parts, tagOctetString); err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	return all, nil
}

// copy copies the next n octets to w.
func (b *berReader) copy(w io.Writer, n int64) error {
	if err := b.took(n); err != nil {
		return err
	}
	for n > 0 {
		p, err := b.r.Peek(int(min(n, bufferSize)))
		if len(p) == 0 {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		if _, err := w.Write(p); err != nil {
			return err
		}
		n -= int64(len(p))
		if _, err := b.r.Discard(len(p)); err != nil {
			return err
		}
	}
	return nil
}

// octetStream reads an octet string, in however many parts it comes.
type octetStream struct {
	b *berReader
	// depth counts the open parts that hold parts, part is what is left of one that does
	// not.
	depth int
	part  int64
	done  bool
}

// octets begins to read the next element, an octet string whose tag, when it comes in one
// part, is the given one.
func (b *berReader) octets(tag byte) (*octetStream, error) {
	s := &octetStream{b: b}
	return s, s.begin(tag)
}

// begin reads the header of a part.
func (s *octetStream) begin(tag byte) error {
	got, length, err := s.b.header()
	switch {
	case err != nil:
		return err
	case got == tag && length != indefinite:
		s.part, s.done = length, s.depth == 0 && length == 0
		return nil
	case got != tag|constructed || len(s.b.ends) == maxDepth:
		return errForm
	}
	s.b.ends = append(s.b.ends, length)
	s.depth++
	return nil
}

// Read implements io.Reader. It is io.EOF at the end of the octet string.
func (s *octetStream) Read(p []byte) (int, error) {
	for s.part == 0 && !s.done {
		tag, err := s.b.next()
		if err == nil && tag == endOfContents {
			if err = s.b.leave(); err == nil {
				s.depth--
				s.done = s.depth == 0
			}
		} else if err == nil {
			err = s.begin(tagOctetString)
		}
		if err != nil {
			return 0, err
		}
	}
	if s.part == 0 {
		return 0, io.EOF
	}
	n, err := s.b.r.Read(p[:min(int64(len(p)), s.part)])
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err := s.b.took(int64(n)); err != nil {
		return 0, err
	}
	s.part -= int64(n)
	s.done = s.part == 0 && s.depth == 0
	return n, err
}

// end tells whether the stream has nothing more.
func (b *berReader) end() error {
	if _, err := b.r.ReadByte(); !errors.Is(err, io.EOF) {
		return cmpErr(err)
	}
	return nil
}

// split takes the first element off DER that is in memory, which has the tag.
func split(der []byte, tag byte) (content, rest []byte, err error) {
	got, content, rest, err := splitAny(der)
	if err == nil && got != tag {
		err = errForm
	}
	return content, rest, err
}

func splitAny(der []byte) (tag byte, content, rest []byte, err error) {
	if len(der) < 2 {
		return 0, nil, nil, errForm
	}
	tag, n, at := der[0], int(der[1]), 2
	if n >= 0x80 {
		bytes := n & 0x7f
		if bytes == 0 || bytes > 4 || len(der) < at+bytes {
			return 0, nil, nil, errForm
		}
		n = 0
		for _, c := range der[at : at+bytes] {
			n = n<<8 | int(c)
		}
		at += bytes
	}
	if n > len(der)-at {
		return 0, nil, nil, errForm
	}
	return tag, der[at : at+n], der[at+n:], nil
}

// appendHeader appends tag and length as DER.
func appendHeader(der []byte, tag byte, length int) []byte {
	der = append(der, tag)
	if length < 0x80 {
		return append(der, byte(length)) //nolint:gosec // below 128
	}
	var octets []byte
	for n := length; n > 0; n >>= 8 {
		octets = append(octets, byte(n))
	}
	slices.Reverse(octets)
	return append(append(der, 0x80|byte(len(octets))), octets...) //nolint:gosec // at most eight
}

// wrap puts parts into one element.
func wrap(tag byte, parts ...[]byte) []byte {
	content := slices.Concat(parts...)
	return append(appendHeader(nil, tag, len(content)), content...)
}
