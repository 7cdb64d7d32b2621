package e2e_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/attachment"
	"github.com/helsebro/helsebro/internal/scan/scantest"
)

// filesOfEverySize: one of exactly 12 MB goes, one byte more does not, nothing and what is
// infected does not either; five go in one message, in their order, unless they are more
// than a message holds (D16).
func filesOfEverySize(c *clinic) {
	p := c.patient(nil)
	status, whole := c.upload(c.GP, p, "stor.pdf", pdf(attachment.MaxFileBytes))
	require.Equal(c, http.StatusCreated, status)
	for name, content := range map[string][]byte{
		"tom.pdf":     nil,
		"smittet.pdf": append([]byte("%PDF-1.7\n"), scantest.Infected...),
		"side.pdf":    []byte("<html>"),
	} {
		status, _ := c.upload(c.GP, p, name, bytes.NewReader(content))
		require.Equal(c, http.StatusUnprocessableEntity, status, name)
	}
	status, _ = c.upload(c.GP, p, "stor.pdf", pdf(attachment.MaxFileBytes+1))
	require.Equal(c, http.StatusRequestEntityTooLarge, status)

	five := func(size int) []string {
		var ids []string
		for i := range 5 {
			status, f := c.upload(c.GP, p, fmt.Sprintf("%d.pdf", i), pdf(size+i))
			require.Equal(c, http.StatusCreated, status)
			ids = append(ids, f.ID)
		}
		return ids
	}
	s := toPatient(p, contract.ProcessEContact, "Fem store")
	s.Attachments = five(3_000_000)
	require.Contains(c, c.refused(http.StatusRequestEntityTooLarge, c.GP, http.MethodPost, "/dialogues", s).Detail, "20 MB")
	require.Empty(c, c.dialoguesOf(p), "nothing of it is left")

	s = toPatient(p, contract.ProcessEContact, "Fem")
	s.Attachments = five(1000)
	c.start(c.GP, s)
	files := c.thread(p, "Fem").Messages[0].Files
	require.Len(c, files, 5)
	for i, f := range files {
		require.Equal(c, []any{fmt.Sprintf("%d.pdf", i), 1000 + i}, []any{f.Name, f.Size})
	}
	s = toPatient(p, contract.ProcessEContact, "Stor")
	s.Attachments = []string{whole.ID}
	d := c.start(c.GP, s)
	require.Equal(c, attachment.MaxFileBytes, c.thread(p, "Stor").Messages[0].Files[0].Size)
	require.Equal(c, strings.ToLower(whole.SHA256), c.acknowledged(d.DialogueID).Answers[0].Attachments[0].SHA256)
}
