// Command worker runs Helsebro's lifecycles and the activities behind them, until
// it is told to stop: it then takes no more work and finishes what it has.
package main

import (
	"fmt"
	"os"

	"go.uber.org/fx"

	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/observ"
	"github.com/helsebro/helsebro/worker/app"
)

func main() {
	cfg, err := config.Load[config.Worker]()
	if err != nil {
		fmt.Fprintf(os.Stderr, "worker: the configuration is not complete:\n%v\n", err)
		os.Exit(2)
	}
	fx.New(app.Options(cfg, observ.Logger(cfg.Log.Level))).Run()
}
