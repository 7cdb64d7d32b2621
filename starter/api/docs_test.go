package api_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/starter/api"
)

// The page for people says everything, and works without the internet.
func TestDocs(t *testing.T) {
	t.Parallel()
	f := setup(t)
	res := f.do(t, request{method: "GET", path: "/docs"})
	require.Equal(t, 200, res.Code)
	require.Equal(t, "text/html; charset=utf-8", res.Header().Get("Content-Type"))
	page := res.Body.String()

	for _, r := range f.Routes() {
		if r.Right != "" {
			require.Contains(t, page, fmt.Sprintf(`<code class="call">%s %s</code>`, r.Method, r.Path))
			require.Contains(t, page, fmt.Sprintf("<code>%s</code>", r.Right))
		}
	}
	require.NotContains(t, page, "&lt;nil&gt;")
	require.NotContains(t, page, "map[")

	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		require.False(t, ids[m[1]], m[1])
		ids[m[1]] = true
	}
	links := regexp.MustCompile(` href="([^"]+)"`).FindAllStringSubmatch(page, -1)
	require.Greater(t, len(links), 100)
	for _, m := range links {
		if m[1] != "/openapi.json" {
			require.True(t, ids[strings.TrimPrefix(m[1], "#")], "%s leads nowhere", m[1])
		}
	}

	require.Empty(t, regexp.MustCompile(`(?i)<(script|link|img|iframe|form|object)|\bon[a-z]+=|url\(|@import`).FindString(page))
	style := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindStringSubmatch(page)
	require.NotNil(t, style)
	sum := sha256.Sum256([]byte(style[1]))
	policy := res.Header().Values("Content-Security-Policy")
	require.Len(t, policy, 1)
	require.Contains(t, policy[0], "default-src 'none'")
	require.Contains(t, policy[0], "style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")

	rows := regexp.MustCompile(`<tr><td><code>`+regexp.QuoteMeta(api.ProblemPrefix)+`([a-z-]+)</code></td><td>(\d+)</td><td>([^<]+)</td><td>([^<]+)</td></tr>`).FindAllStringSubmatch(page, -1)
	require.Len(t, rows, 13, "every kind of problem, with what to do")
}
