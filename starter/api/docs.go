package api

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed" // the page
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/helsebro/helsebro/internal/apperr"
)

//go:embed docs.html
var docsPage string

const docsStyle = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 75rem; margin: 0 auto; padding: 1rem 2rem; display: grid; grid-template-columns: 18rem minmax(0, 1fr); gap: 0 3rem; }
header { grid-column: 1 / -1; }
nav { position: sticky; top: 0; max-height: 100vh; overflow: auto; font-size: .875rem; }
nav ul { list-style: none; padding-left: 1rem; }
section { margin: 0 0 2.5rem; scroll-margin-top: 1rem; }
h3 { margin-bottom: .25rem; }
code { font: .875em ui-monospace, monospace; overflow-wrap: anywhere; }
.call { padding: .25rem .5rem; border: 1px solid; border-radius: .25rem; }
table { border-collapse: collapse; width: 100%; }
caption, th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; }
th, td { border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
@media (max-width: 60rem) { body { display: block; } nav { position: static; max-height: none; } }
`

// docs serves the API's documentation: one page without scripts, made of the same
// description as /openapi.json, that needs nothing from the internet.
func (a *API) docs() http.Handler {
	var page bytes.Buffer
	if err := template.Must(template.New("docs").Parse(docsPage)).Execute(&page, describe(a.huma.OpenAPI())); err != nil {
		panic(err) // the routes are fixed: a test has seen this succeed
	}
	sum := sha256.Sum256([]byte(docsStyle))
	policy := "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", policy)
		_, _ = w.Write(page.Bytes()) // the caller may have hung up
	})
}

// The parts of the page.
type (
	docsOf struct {
		Title, Description string
		Style              template.CSS
		Groups             []docsGroup
		Problems           []docsProblem
		Shapes             []docsShape
	}
	docsGroup struct {
		Name       string
		Operations []docsOperation
	}
	docsOperation struct {
		ID, Method, Path, Summary, Right string
		Paragraphs                       []string
		Parameters                       []docsField
		Bodies                           []docsBody
		Responses                        []docsResponse
	}
	docsField struct {
		Name, In, Doc string
		Required      bool
		Type          docsType
	}
	docsBody struct {
		Media string
		Type  docsType
	}
	docsResponse struct {
		Status, Doc string
		Bodies      []docsBody
	}
	docsShape struct {
		ID, Name, Doc string
		Fields        []docsField
		Type          docsType
	}
	// docsType is a type in words: what stands before the name of a shape, that shape,
	// and what the value must keep.
	docsType struct{ Before, Shape, ShapeID, Rules string }

	docsProblem struct {
		Type, Title, Do string
		Status          int
	}
)

// describe makes the page's parts of the OpenAPI description.
func describe(doc *huma.OpenAPI) docsOf {
	out := docsOf{Title: doc.Info.Title, Description: doc.Info.Description, Style: docsStyle}
	groups := map[string][]docsOperation{}
	for path, item := range doc.Paths {
		for method, op := range map[string]*huma.Operation{
			http.MethodGet: item.Get, http.MethodPut: item.Put, http.MethodPost: item.Post, http.MethodPatch: item.Patch, http.MethodDelete: item.Delete,
		} {
			if op != nil {
				name := groupOf(path)
				groups[name] = append(groups[name], describeOperation(method, path, op))
			}
		}
	}
	for name, operations := range groups {
		slices.SortFunc(operations, func(a, b docsOperation) int {
			return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Method, b.Method))
		})
		out.Groups = append(out.Groups, docsGroup{name, operations})
	}
	slices.SortFunc(out.Groups, func(a, b docsGroup) int { return strings.Compare(a.Name, b.Name) })
	for kind, s := range statuses {
		out.Problems = append(out.Problems, docsProblem{ProblemPrefix + string(kind), s.title, whatToDo[kind], s.status})
	}
	slices.SortFunc(out.Problems, func(a, b docsProblem) int { return cmp.Or(a.Status-b.Status, strings.Compare(a.Type, b.Type)) })
	for name, schema := range doc.Components.Schemas.Map() {
		out.Shapes = append(out.Shapes, docsShape{ID: shapeID(name), Name: name, Doc: schema.Description, Fields: fieldsOf(schema), Type: typeOf(schema)})
	}
	slices.SortFunc(out.Shapes, func(a, b docsShape) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// groupOf is what a path is about: its first part below the clinic.
func groupOf(path string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(path, "/v1/clinics/{clinic}"), "/"), "/")
	if name == "" {
		name = "clinic"
	}
	return strings.ToUpper(name[:1]) + strings.ReplaceAll(name[1:], "-", " ")
}

func describeOperation(method, path string, op *huma.Operation) docsOperation {
	out := docsOperation{ID: op.OperationID, Method: method, Path: path, Summary: op.Summary, Right: fmt.Sprint(op.Extensions["x-helsebro-right"])}
	for p := range strings.SplitSeq(op.Description, "\n\n") {
		if p != "" && !strings.HasPrefix(p, "Needs the right") {
			out.Paragraphs = append(out.Paragraphs, p)
		}
	}
	for _, p := range op.Parameters {
		out.Parameters = append(out.Parameters, docsField{p.Name, p.In, p.Description, p.Required, typeOf(p.Schema)})
	}
	if op.RequestBody != nil {
		out.Bodies = bodiesOf(op.RequestBody.Content)
	}
	for status, r := range op.Responses {
		out.Responses = append(out.Responses, docsResponse{status, r.Description, bodiesOf(r.Content)})
	}
	slices.SortFunc(out.Responses, func(a, b docsResponse) int { return strings.Compare(a.Status, b.Status) })
	return out
}

func bodiesOf(content map[string]*huma.MediaType) (out []docsBody) {
	for media, m := range content {
		out = append(out, docsBody{media, typeOf(m.Schema)})
	}
	slices.SortFunc(out, func(a, b docsBody) int { return strings.Compare(a.Media, b.Media) })
	return out
}

// fieldsOf lists the fields of an object, the required ones first.
func fieldsOf(s *huma.Schema) (out []docsField) {
	for name, p := range s.Properties {
		out = append(out, docsField{Name: name, Doc: p.Description, Required: slices.Contains(s.Required, name), Type: typeOf(p)})
	}
	slices.SortFunc(out, func(a, b docsField) int {
		if a.Required != b.Required {
			if a.Required {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out
}

// typeOf says a schema in words.
func typeOf(s *huma.Schema) docsType {
	switch {
	case s == nil:
		return docsType{Before: "anything"}
	case s.Ref != "":
		name := s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
		return docsType{Shape: name, ShapeID: shapeID(name), Rules: rulesOf(s)}
	case s.Items != nil:
		of := typeOf(s.Items)
		of.Before, of.Rules = "list of "+of.Before, strings.TrimSpace(of.Rules+" "+rulesOf(s))
		return of
	}
	if values, ok := s.AdditionalProperties.(*huma.Schema); ok {
		of := typeOf(values)
		of.Before = "by name, " + of.Before
		return of
	}
	return docsType{Before: cmp.Or(s.Format, s.Type, "anything"), Rules: rulesOf(s)}
}

// rulesOf says what a value must keep.
func rulesOf(s *huma.Schema) string {
	var rules []string
	if len(s.Enum) > 0 {
		var values []string
		for _, v := range s.Enum {
			values = append(values, fmt.Sprint(v))
		}
		rules = append(rules, "one of "+strings.Join(values, ", "))
	}
	whole := func(n *int, unit, format string) {
		if n != nil {
			rules = append(rules, fmt.Sprintf(format, *n, unit))
		}
	}
	whole(s.MinLength, "characters", "at least %d %s")
	whole(s.MaxLength, "characters", "at most %d %s")
	whole(s.MinItems, "entries", "at least %d %s")
	whole(s.MaxItems, "entries", "at most %d %s")
	number := func(n *float64, format string) {
		if n != nil {
			rules = append(rules, fmt.Sprintf(format, strconv.FormatFloat(*n, 'f', -1, 64)))
		}
	}
	number(s.Minimum, "%s or more")
	number(s.Maximum, "%s or less")
	if s.Pattern != "" {
		rules = append(rules, "form "+s.Pattern)
	}
	if s.Default != nil {
		rules = append(rules, fmt.Sprintf("default %v", s.Default))
	}
	return strings.Join(rules, "; ")
}

func shapeID(name string) string { return "shape-" + name }

// whatToDo is the way out of each kind of problem.
var whatToDo = map[apperr.Kind]string{
	apperr.Invalid:         "errors names each field and its rule: correct them and send the request again.",
	apperr.NotFound:        "There is no such thing in this clinic, or no such route.",
	apperr.Conflict:        "state says what stands in the way: read what it is about again and decide anew.",
	apperr.Unauthenticated: "Get a new token: this one is missing, has expired or proves nothing.",
	apperr.Forbidden:       "detail names the right: somebody who has it can do this.",
	apperr.TooLarge:        "detail names the limit: send less.",
	apperr.Unsupported:     "This version, or this clinic, does not offer it.",
	apperr.Erased:          "The patient's key is gone, and nobody can read the content any more.",
	apperr.Duplicate:       "The Idempotency-Key was used for another request: take a new one.",
	apperr.Stale:           "Somebody else has written it since you read it: read it again, and send what you want with its ETag in If-Match.",
	apperr.Busy:            "Nothing was done: wait for Retry-After seconds, and ask less often.",
	apperr.Unavailable:     "Send the same request again after Retry-After seconds, with the same Idempotency-Key.",
	apperr.Internal:        "A fault of this service, which its log names: send the same request again later.",
}
