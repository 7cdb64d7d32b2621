package apicontract

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

const document = `{"openapi": "3.1.0", "paths": {"/things": {"get": {"operationId": "list", "responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}}, "204": {}}}}},
	"components": {"schemas": {"Thing": {"type": "object", "required": ["id"], "additionalProperties": false, "properties": {
		"id": {"type": "string", "format": "uuid"}, "at": {"type": "string", "format": "date-time"}, "n": {"type": "integer", "minimum": 1, "maximum": 9},
		"kind": {"type": "string", "enum": ["a", "b"]}, "names": {"type": ["array", "null"], "maxItems": 2, "items": {"type": "string", "maxLength": 3}},
		"by": {"type": "object", "additionalProperties": {"type": "boolean"}}, "hash": {"type": "string", "pattern": "^[0-9a-f]+$"}}}}}}`

func TestCheck(t *testing.T) {
	t.Parallel()
	d, err := Read([]byte(document))
	require.NoError(t, err)
	op := d.Operations()[0]
	require.Equal(t, "list", op.ID)
	keeps := func(status int, media, body string) error {
		return d.Keeps(op, Answer{Status: status, Header: http.Header{"Content-Type": {media}}, Body: []byte(body)})
	}
	const id = `"id": "0198c0de-0000-7000-8000-00000000c111"`
	for body, fault := range map[string]string{
		`{` + id + `}`: "",
		`{` + id + `, "at": "2026-11-02T08:00:00Z", "n": 9, "kind": "a", "names": null, "by": {"x": true}, "hash": "0f"}`: "",
		`{` + id + `, "names": ["abc"]}`:         "",
		`{}`:                                     "id is missing",
		`[]`:                                     "array, not object",
		`{` + id + `} {}`:                        "something follows",
		`{` + id:                                 "no JSON",
		`{"id": "1"}`:                            "no UUID",
		`{` + id + `, "at": "today"}`:            "$.at: no instant",
		`{` + id + `, "n": 10}`:                  "out of bounds",
		`{` + id + `, "n": 1.5}`:                 "number, not integer",
		`{` + id + `, "kind": "c"}`:              "none of the values",
		`{` + id + `, "names": ["abcd"]}`:        "$.names[0]: 4 characters",
		`{` + id + `, "names": ["a", "b", "c"]}`: "3 entries",
		`{` + id + `, "by": {"x": 1}}`:           "$.by.x: integer, not boolean",
		`{` + id + `, "hash": "Z"}`:              "not of the form",
		`{` + id + `, "stack": "goroutine 1"}`:   "stack is not described",
	} {
		err := keeps(200, "application/json", body)
		if fault == "" {
			require.NoError(t, err, body)
			continue
		}
		require.ErrorContains(t, err, fault, body)
	}
	require.ErrorContains(t, keeps(201, "application/json", "{}"), "201 is not documented")
	require.ErrorContains(t, keeps(200, "text/html", "{}"), "is not documented for status 200")
	require.NoError(t, keeps(204, "", ""))
	require.ErrorContains(t, keeps(204, "", "x"), "no body")

	var loose map[string]any
	require.NoError(t, json.Unmarshal([]byte(document), &loose))
	loose["components"].(map[string]any)["schemas"].(map[string]any)["Thing"].(map[string]any)["oneOf"] = []any{}
	unknown, err := json.Marshal(loose)
	require.NoError(t, err)
	_, err = Read(unknown)
	require.ErrorContains(t, err, "oneOf")
}
