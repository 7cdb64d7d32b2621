// Package operatorview takes pictures of what an operator sees of Helsebro in the
// Temporal UI, for the README: a saved view, histories with their summaries, status cards.
// Everything on them is of the demonstration clinic.
package operatorview

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/devstack/browser"
	"github.com/helsebro/helsebro/internal/devstack/scenario"
	"github.com/helsebro/helsebro/internal/devstack/stack"
)

// patience bounds the wait for one page.
const patience = time.Minute

// Picture is one page of the Temporal UI.
type Picture struct {
	// Name is the file's, without ".png".
	Name string
	URL  string
	// Shows are texts that the page must show before it is taken.
	Shows []string
}

// Pictures are what there is to see once played and refused were played on the stack.
func Pictures(ctx context.Context, s *stack.Stack, played scenario.Result, refused *scenario.Thread) ([]Picture, error) {
	c, err := s.Client()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var runErr error
	run := func(workflowID string) string {
		d, err := c.DescribeWorkflowExecution(ctx, workflowID, "")
		if err != nil {
			runErr = fmt.Errorf("%s: %w", workflowID, err)
			return ""
		}
		return d.WorkflowExecutionInfo.Execution.RunId
	}
	answered, booked := played.Threads[0], played.Booked
	all := []Picture{
		{
			Name:  "view",
			URL:   s.Temporal.UIURL() + "/namespaces/" + url.PathEscape(s.Temporal.Namespace()) + "/workflows?" + url.Values{"query": {`HelsebroState = "needs-operator" AND ExecutionStatus = "Running"`}}.Encode(),
			Shows: []string{refused.WorkflowID},
		},
		{
			Name:  "history",
			URL:   s.Temporal.WorkflowURL(answered.WorkflowID, run(answered.WorkflowID)),
			Shows: []string{"put the message in the inbox", "journal the inbound message", "send message 12 to Helsenorge"},
		},
		{
			Name:  "card",
			URL:   s.Temporal.StatusURL(answered.WorkflowID, run(answered.WorkflowID)),
			Shows: []string{"Nothing is owed", "who acts: nobody", "helsebro explain " + answered.DialogueID},
		},
		{
			Name:  "appointment",
			URL:   s.Temporal.StatusURL(contract.AppointmentWorkflowID(booked.ID), run(contract.AppointmentWorkflowID(booked.ID))),
			Shows: []string{"Booked; next: decide who gives the notice", "until when: "},
		},
		{
			Name:  "timer",
			URL:   s.Temporal.WorkflowURL(contract.AppointmentWorkflowID(booked.ID), run(contract.AppointmentWorkflowID(booked.ID))),
			Shows: []string{"decide who gives the notice"},
		},
		{
			Name:  "case",
			URL:   s.Temporal.StatusURL(refused.WorkflowID, run(refused.WorkflowID)),
			Shows: []string{"An operator must look", "helsebro case list"},
		},
	}
	return all, runErr
}

// Take writes each picture into dir as PNG.
func Take(ctx context.Context, dir string, pictures []Picture) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, p := range pictures {
		if err := take(ctx, filepath.Join(dir, p.Name+".png"), p); err != nil {
			return fmt.Errorf("picture %s: %w", p.Name, err)
		}
	}
	return nil
}

func take(ctx context.Context, file string, p Picture) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	raw, err := browser.Screenshot(ctx, p.URL, p.Shows...)
	if err != nil {
		return err
	}
	small, err := shrink(raw)
	if err != nil {
		return err
	}
	return os.WriteFile(file, small, 0o644)
}

// shrink writes a PNG with the 256 colours that it has most of: a page has few, and the
// rest are the edges of letters.
func shrink(raw []byte) ([]byte, error) {
	full, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	count := map[color.Color]int{}
	bounds := full.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			count[full.At(x, y)]++
		}
	}
	var palette color.Palette
	for c := range count {
		palette = append(palette, c)
	}
	slices.SortFunc(palette, func(a, b color.Color) int { return count[b] - count[a] })
	palette = palette[:min(len(palette), 256)]
	nearest := map[color.Color]uint8{}
	for c := range count {
		nearest[c] = uint8(palette.Index(c)) // there are at most 256
	}
	small := image.NewPaletted(bounds, palette)
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			small.SetColorIndex(x, y, nearest[full.At(x, y)])
		}
	}
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	err = encoder.Encode(&out, small)
	return out.Bytes(), err
}
