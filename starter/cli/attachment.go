package cli

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/helsebro/helsebro/internal/domain/attachment"
	"github.com/helsebro/helsebro/internal/pg"
)

// transferTimeout bounds the transfer of one file: above what the API gives it.
const transferTimeout = 3 * time.Minute

func attachmentCommand(env Environment) *cobra.Command {
	return parent("attachment", "Files of dialogues", attachmentUploadCommand(env), attachmentGetCommand(env))
}

func attachmentUploadCommand(env Environment) *cobra.Command {
	var patient, name string
	cmd := &cobra.Command{
		Use:   "upload FILE",
		Short: "Upload a file for a message to come, and print its id",
		Long: `Upload a file for a message to come, and print its id: PDF, JPEG or PNG, at most
12 MB. It can be attached once, to a message about the same patient; what no
message has named after a day is dropped. --attach of dialogue answer uploads and
attaches at once.`,
		Example: "  helsebro attachment upload brev.pdf --patient 0198c0de-0000-7000-8000-000000009a71",
		Args:    noNationalID(cobra.ExactArgs(1)),
	}
	r := callsAPI(cmd, env)
	cmd.Flags().StringVar(&patient, "patient", "", "the patient's id; without it the file is for colleagues")
	cmd.Flags().StringVar(&name, "name", "", "the name that the receiver sees (default that of the file)")
	cmd.RunE = runs(func(cmd *cobra.Command, args []string) error {
		raw, f, err := r.upload(cmd.Context(), forPatient(patient), args[0], first(name, filepath.Base(args[0])))
		if err != nil {
			return err
		}
		return r.show(raw, func(w io.Writer) error {
			_, err := fmt.Fprintln(w, f.ID)
			return err
		})
	})
	return cmd
}

func attachmentGetCommand(env Environment) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "get DIALOGUE FILE --output PATH",
		Short:   "Save a file of a dialogue, the citizen's or the clinic's own",
		Long:    "Save a file of a dialogue, the citizen's or the clinic's own, to a path where none is yet. dialogue show lists the files.",
		Example: "  helsebro attachment get 0198c0de-0000-7000-8000-0000000d1a10 0198c0de-0000-7000-8000-00000000f11e --output kne.png",
		Args:    cobra.ExactArgs(2),
	}
	r := callsAPI(cmd, env)
	cmd.Flags().StringVarP(&output, "output", "o", "", "where to save it (required)")
	_ = cmd.MarkFlagRequired("output") // the flag is defined above
	cmd.RunE = runs(func(cmd *cobra.Command, args []string) error {
		size, err := r.save(cmd.Context(), "/dialogues/"+url.PathEscape(args[0])+"/attachments/"+url.PathEscape(args[1]), output)
		if err != nil {
			return err
		}
		return r.done(map[string]any{"output": output, "size": size}, "Saved %d bytes as %s.", size, output)
	})
	return cmd
}

// save reads a resource into a new file that only its owner may read, or leaves none.
func (r *remote) save(ctx context.Context, path, name string) (size int64, err error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, usage("%v", err)
	}
	defer func() {
		if closed := f.Close(); err == nil {
			err = closed
		}
		if err != nil {
			_ = os.Remove(name) // half a file is none
		}
	}()
	err = r.send(ctx, transferTimeout, http.MethodGet, path, nil, func(content io.Reader) error {
		if size, err = io.Copy(f, content); err != nil {
			return fmt.Errorf("the file breaks off: %w", err)
		}
		return nil
	})
	return size, err
}

// forPatient is where staff upload a file for a message about the patient, "" for
// colleagues.
func forPatient(id string) string {
	if id == "" {
		return "/attachments"
	}
	return "/attachments?patient=" + url.QueryEscape(id)
}

// upload sends a file, as it is read, to where it is uploaded.
func (r *remote) upload(ctx context.Context, to, path, name string) ([]byte, pg.File, error) {
	var f pg.File
	content, err := os.Open(path)
	if err != nil {
		return nil, f, usage("%v", err)
	}
	defer content.Close() //nolint:errcheck // read only
	info, err := content.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, f, usage("%s is not a file", path)
	}
	// Larger ones would be refused on the way, which not every network shows.
	if info.Size() > attachment.MaxFileBytes {
		return nil, f, usage("%s has %d bytes: a file has at most %d", path, info.Size(), attachment.MaxFileBytes)
	}
	var raw []byte
	if err := r.send(ctx, transferTimeout, http.MethodPost, to, content, func(answer io.Reader) (err error) {
		raw, err = r.whole(answer)
		return err
	}, "Content-Type", "application/octet-stream", "Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name})); err != nil {
		return nil, f, err
	}
	return raw, f, r.decode(raw, &f)
}

// attach uploads files for one message and returns their ids.
func (r *remote) attach(ctx context.Context, to string, paths []string) ([]string, error) {
	var ids []string
	for _, path := range paths {
		_, f, err := r.upload(ctx, to, path, filepath.Base(path))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", oneLine(path), err)
		}
		ids = append(ids, f.ID)
	}
	return ids, nil
}

// attachToDialogue is attach for a message in a dialogue.
func (r *remote) attachToDialogue(ctx context.Context, dialogueID string, paths []string) ([]string, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	var d pg.Dialogue
	if _, err := r.get(ctx, "/dialogues/"+url.PathEscape(dialogueID), &d); err != nil {
		return nil, err
	}
	return r.attach(ctx, forPatient(d.PatientID), paths)
}
