// Package browser looks at a web page as a person does, with a headless Chromium, so
// that a test can say what the Temporal UI shows.
package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/helsebro/helsebro/internal/devstack/debian"
)

// Ensure installs Chromium when the machine has none. Without root it returns a
// *debian.NotInstalledError with the command that does.
func Ensure(ctx context.Context, progress io.Writer) error {
	if _, err := program(); err == nil {
		return nil
	}
	return debian.Install(ctx, progress, "chromium")
}

// Text opens a page, waits until it shows every text of waitFor, and returns all text it
// then shows. When ctx ends first, the error holds what was shown instead.
func Text(ctx context.Context, url string, waitFor ...string) (string, error) {
	return visit(ctx, url, waitFor, chromedp.Evaluate[string](shownText))
}

// Screenshot opens a page, waits until it shows every text of waitFor, and returns a
// picture of the whole page as PNG.
func Screenshot(ctx context.Context, url string, waitFor ...string) ([]byte, error) {
	return visit(ctx, url, waitFor, chromedp.FullScreenshot(100))
}

// shownText is what a reader sees, without scripts, styles and hidden elements. Frames
// of the same origin are part of it: the Temporal UI draws summaries in them.
const shownText = `(function text(d) {
	if (!d || !d.body) return "";
	const frames = Array.from(d.querySelectorAll("iframe"), f => text(f.contentDocument));
	return [d.body.innerText, ...frames].join("\n");
})(document)`

func visit[T any](ctx context.Context, url string, waitFor []string, then chromedp.Action[T]) (T, error) {
	var none T
	path, err := program()
	if err != nil {
		return none, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.DisableGPU,
		chromedp.WindowSize(1400, 1120),
		chromedp.Flag("disable-component-update", true), // asks the internet
		chromedp.Flag("disable-quic", true),
	)
	// The browser lives on a context of its own, so that it is still there to ask what
	// it shows when the caller's time is up.
	allocator, stop := chromedp.NewExecAllocator(context.WithoutCancel(ctx), options...)
	defer stop()
	tab, closeTab := chromedp.NewContext(allocator)
	defer closeTab()
	if err := chromedp.Do(tab); err != nil {
		return none, fmt.Errorf("browser: %w", err)
	}
	limited, cancel := context.WithCancel(tab)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()

	err = chromedp.Do(limited, chromedp.Navigate(url), chromedp.Poll[chromedp.Void](
		allShown(waitFor), chromedp.WithPollingInterval(pollInterval), chromedp.WithPollingTimeout(0)))
	if err == nil {
		var seen T
		if seen, err = chromedp.Run(limited, then); err == nil {
			return seen, nil
		}
	}
	if ctx.Err() == nil {
		return none, fmt.Errorf("browser: %s: %w", url, err)
	}
	last, cancelLast := context.WithTimeout(tab, 5*time.Second)
	defer cancelLast()
	shown, err := chromedp.Run(last, chromedp.Evaluate[string](shownText))
	return none, errors.Join(fmt.Errorf("browser: %s does not show %q: %w; it shows %q", url, waitFor, ctx.Err(), shown), err)
}

// pollInterval is how often the page is looked at: by the clock and not by frame,
// because a hidden page draws no frames.
const pollInterval = 50 * time.Millisecond

// allShown is true in the browser when the page shows all texts.
func allShown(texts []string) string {
	literal, _ := json.Marshal(append([]string{}, texts...)) // JSON is a part of JavaScript, and strings marshal
	return fmt.Sprintf("(shown => %s.every(t => shown.includes(t)))(%s)", literal, shownText)
}

// program finds Chromium or a browser that takes the same orders.
func program() (string, error) {
	names := []string{"chromium", "chromium-browser", "google-chrome"}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", &debian.NotInstalledError{
		Packages: []string{"chromium"},
		Reason:   "no browser is installed (" + strings.Join(names, ", ") + ")",
	}
}
