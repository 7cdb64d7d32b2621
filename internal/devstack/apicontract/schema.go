// Package apicontract holds the HTTP API to its OpenAPI document and to what it promises
// of every request: a running installation answers, and the document alone says with what
// it may.
package apicontract

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Document is what of an OpenAPI 3.1 document a client needs.
type Document struct {
	OpenAPI    string                          `json:"openapi"`
	Paths      map[string]map[string]Operation `json:"paths"`
	Components struct {
		Schemas map[string]*Schema `json:"schemas"`
	} `json:"components"`
}

// Operation is a route.
type Operation struct {
	ID          string      `json:"operationId"`
	Right       string      `json:"x-helsebro-right"`
	Parameters  []Parameter `json:"parameters"`
	RequestBody *struct {
		Required bool             `json:"required"`
		Content  map[string]Media `json:"content"`
	} `json:"requestBody"`
	Responses map[string]Response `json:"responses"`

	Method, Path string `json:"-"`
}

// Parameter is a part of the path, of the query or a header.
type Parameter struct {
	Name     string  `json:"name"`
	In       string  `json:"in"`
	Required bool    `json:"required"`
	Schema   *Schema `json:"schema"`
}

// Response is what an operation answers with a status.
type Response struct {
	Content map[string]Media `json:"content"`
	Headers map[string]struct {
		Schema *Schema `json:"schema"`
	} `json:"headers"`
}

// Media is a body in one media type.
type Media struct {
	Schema *Schema `json:"schema"`
}

// Schema is what the document uses of JSON Schema 2020-12: Read refuses the rest.
type Schema struct {
	Ref                  string              `json:"$ref"`
	Type                 Types               `json:"type"`
	Format               string              `json:"format"`
	Properties           map[string]*Schema  `json:"properties"`
	Required             []string            `json:"required"`
	AdditionalProperties json.RawMessage     `json:"additionalProperties"`
	Items                *Schema             `json:"items"`
	Enum                 []any               `json:"enum"`
	Pattern              string              `json:"pattern"`
	MinLength            *int                `json:"minLength"`
	MaxLength            *int                `json:"maxLength"`
	MinItems             *int                `json:"minItems"`
	MaxItems             *int                `json:"maxItems"`
	Minimum              *float64            `json:"minimum"`
	Maximum              *float64            `json:"maximum"`
	Default              any                 `json:"default"`
	Title                string              `json:"title"`
	Description          string              `json:"description"`
	Examples             []any               `json:"examples"`
	ContentEncoding      string              `json:"contentEncoding"`
	ContentMediaType     string              `json:"contentMediaType"`
	ReadOnly             bool                `json:"readOnly"`
	PatternDescription   string              `json:"patternDescription"`
	DependentRequired    map[string][]string `json:"dependentRequired"`
}

// Types is one type or several.
type Types []string

// UnmarshalJSON implements json.Unmarshaler.
func (t *Types) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*t = Types{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(t))
}

// Read reads a document. A keyword of a schema that Check does not know is an error: what
// is not understood must not pass for kept.
func Read(raw []byte) (*Document, error) {
	var d Document
	if err := json.Unmarshal(raw, &d); err != nil {
		return nil, err
	}
	for path, methods := range d.Paths {
		for method, op := range methods {
			op.Method, op.Path = strings.ToUpper(method), path
			methods[method] = op
		}
	}
	var loose struct {
		Components struct {
			Schemas map[string]json.RawMessage `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(raw, &loose); err != nil {
		return nil, err
	}
	for name, schema := range loose.Components.Schemas {
		strict := json.NewDecoder(strings.NewReader(string(schema)))
		strict.DisallowUnknownFields()
		if err := strict.Decode(&Schema{}); err != nil {
			return nil, fmt.Errorf("schema %s: %w", name, err)
		}
	}
	return &d, nil
}

// Operations are all operations, in the order of path and method.
func (d *Document) Operations() []Operation {
	var all []Operation
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(d.Paths[path])) {
			all = append(all, d.Paths[path][method])
		}
	}
	return all
}

// Resolve follows references to the schema itself.
func (d *Document) Resolve(s *Schema) *Schema {
	for s != nil && s.Ref != "" {
		s = d.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")]
	}
	return s
}

// Check names everything in which the JSON text is not what the schema says.
func (d *Document) Check(s *Schema, text []byte) error {
	reader := json.NewDecoder(strings.NewReader(string(text)))
	reader.UseNumber()
	var v any
	if err := reader.Decode(&v); err != nil {
		return fmt.Errorf("no JSON: %w", err)
	}
	if reader.More() {
		return errors.New("something follows the JSON value")
	}
	return errors.Join(d.faults(s, v, "$")...)
}

func (d *Document) faults(s *Schema, v any, at string) (all []error) {
	fault := func(format string, args ...any) {
		all = append(all, fmt.Errorf("%s: %s", at, fmt.Sprintf(format, args...)))
	}
	if s = d.Resolve(s); s == nil {
		fault("the schema leads nowhere")
		return all
	}
	kind := typeOf(v)
	if len(s.Type) > 0 && !slices.Contains(s.Type, kind) && (kind != "integer" || !slices.Contains(s.Type, "number")) {
		fault("%s, not %s", kind, strings.Join(s.Type, " or "))
		return all
	}
	if len(s.Enum) > 0 && kind != "null" && !slices.ContainsFunc(s.Enum, func(e any) bool { return fmt.Sprint(e) == fmt.Sprint(v) }) {
		fault("none of the values %v", s.Enum)
	}
	switch v := v.(type) {
	case map[string]any:
		for _, name := range s.Required {
			if _, ok := v[name]; !ok {
				fault("%s is missing", name)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			switch of := s.Properties[name]; {
			case of != nil:
				all = append(all, d.faults(of, v[name], at+"."+name)...)
			case string(s.AdditionalProperties) == "false":
				fault("%s is not described", name)
			case len(s.AdditionalProperties) > 0 && s.AdditionalProperties[0] == '{':
				var others Schema
				if err := json.Unmarshal(s.AdditionalProperties, &others); err != nil {
					fault("%v", err)
				}
				all = append(all, d.faults(&others, v[name], at+"."+name)...)
			}
		}
	case []any:
		if s.MinItems != nil && len(v) < *s.MinItems || s.MaxItems != nil && len(v) > *s.MaxItems {
			fault("%d entries", len(v))
		}
		if s.Items != nil {
			for i := range v {
				all = append(all, d.faults(s.Items, v[i], fmt.Sprintf("%s[%d]", at, i))...)
			}
		}
	case string:
		if n := utf8.RuneCountInString(v); s.MinLength != nil && n < *s.MinLength || s.MaxLength != nil && n > *s.MaxLength {
			fault("%d characters", n)
		}
		if s.Pattern != "" && !regexp.MustCompile(s.Pattern).MatchString(v) {
			fault("not of the form %s", s.Pattern)
		}
		switch s.Format {
		case "date-time":
			if _, err := time.Parse(time.RFC3339, v); err != nil {
				fault("no instant of RFC 3339")
			}
		case "uuid":
			if _, err := uuid.Parse(v); err != nil {
				fault("no UUID")
			}
		}
	case json.Number:
		n, err := v.Float64()
		if err != nil || s.Minimum != nil && n < *s.Minimum || s.Maximum != nil && n > *s.Maximum {
			fault("%s is out of bounds", v)
		}
	}
	return all
}

// typeOf is the JSON Schema type of a value.
func typeOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case []any:
		return "array"
	case json.Number:
		if n, err := v.Float64(); err == nil && n == math.Trunc(n) {
			return "integer"
		}
		return "number"
	}
	return "object"
}

// Answer is what came of a request.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Keeps says whether the operation's answer is one that the document has: its status, its
// media type and its body.
func (d *Document) Keeps(op Operation, a Answer) error {
	response, ok := op.Responses[fmt.Sprint(a.Status)]
	if !ok {
		return fmt.Errorf("status %d is not documented", a.Status)
	}
	if len(response.Content) == 0 {
		if len(a.Body) > 0 {
			return fmt.Errorf("status %d has no body in the document", a.Status)
		}
		return nil
	}
	media, _, _ := strings.Cut(a.Header.Get("Content-Type"), ";")
	of, ok := response.Content[media]
	if !ok {
		return fmt.Errorf("media type %q is not documented for status %d", media, a.Status)
	}
	if strings.HasSuffix(media, "json") {
		return d.Check(of.Schema, a.Body)
	}
	return nil
}
