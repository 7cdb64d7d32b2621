// Package temporalserver runs a Temporal server and its web UI inside this process,
// for development and tests: all services, on the loopback, with their state in one
// SQLite file that a later run opens again.
//
// It is no production server: one history node, four shards, no authorization, and a
// database that one process at a time can use.
package temporalserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	uiserver "github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	uioptions "github.com/temporalio/ui-server/v2/server/server_options"
	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/common/primitives/timestamp"
	sqliteschema "go.temporal.io/server/schema/sqlite"
	"go.temporal.io/server/temporal"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/helsebro/helsebro/internal/devstack/ports"
)

// Environment variables that a user of the development stack changes to move the
// server or its UI to another port.
const (
	PortVariable   = "HELSEBRO_TEMPORAL_PORT"
	UIPortVariable = "HELSEBRO_TEMPORAL_UI_PORT"
)

const (
	// DefaultNamespace is where the development stack's workflows live.
	DefaultNamespace = "helsebro"

	// retention is how long the history of a closed workflow is kept.
	retention = 72 * time.Hour
	// historyShards cannot be changed once a file exists: the server keeps the number
	// that is stored there.
	historyShards = 4
	clusterName   = "active"
)

// Config is what a server needs.
type Config struct {
	// Host is a loopback address; 127.0.0.1 when empty.
	Host string
	// Port is where clients and workers connect (gRPC); 0 takes a free one. The ports
	// between the server's own services are always chosen freely.
	Port int
	// UIPort is where the web UI listens; 0 takes a free one.
	UIPort int
	// SQLiteFile keeps all state. It is created when missing, its directory is not.
	SQLiteFile string
	// Namespace is registered when missing; DefaultNamespace when empty.
	Namespace string
	// CodecEndpoint is the URL of the codec server that the UI asks, from the browser
	// and without any token, to decode payloads. Empty: the UI shows them encoded.
	CodecEndpoint string
	// SuggestContinueAsNewAfter is the number of history events after which a run is
	// told to continue as new; 0 is the server's default (4096). Tests set it low.
	SuggestContinueAsNewAfter int
	// Logger gets what the server logs, its Info as Debug because it is very chatty.
	// Nil discards it.
	Logger *slog.Logger
}

// Server is a running Temporal server with its UI.
type Server struct {
	cfg    Config
	log    *logger
	lock   *fileLock
	server temporal.Server
	ui     *uiserver.Server
	uiDone chan struct{}
}

// Start starts the server and its UI and returns when both answer. A taken port is a
// *ports.InUseError; a file that another process uses is an error that says so. When
// ctx ends before the server is up, what was started is stopped again.
func Start(ctx context.Context, cfg Config) (_ *Server, err error) {
	own, err := complete(&cfg)
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, log: newLogger(cfg.Logger)}
	if s.lock, err = lockFile(cfg.SQLiteFile + ".lock"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("the Temporal server: %w", err), s.Stop())
		}
	}()

	store := sqliteStore(cfg.SQLiteFile)
	if err := prepareStore(store, cfg); err != nil {
		return nil, err
	}
	if s.server, err = newServer(s.cfg, s.log, store, own); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := s.server.Start(); err != nil {
		return nil, err
	}
	s.startUI()
	if err := errors.Join(s.awaitServer(ctx), s.awaitUI(ctx)); err != nil {
		return nil, err
	}
	return s, nil
}

// Address is the host:port for clients and workers, as in TEMPORAL_ADDRESS.
func (s *Server) Address() string { return net.JoinHostPort(s.cfg.Host, strconv.Itoa(s.cfg.Port)) }

// Namespace is the registered namespace, as in TEMPORAL_NAMESPACE.
func (s *Server) Namespace() string { return s.cfg.Namespace }

// UIURL is the origin of the web UI, such as http://127.0.0.1:8233; the codec server
// must allow exactly it.
func (s *Server) UIURL() string {
	return "http://" + net.JoinHostPort(s.cfg.Host, strconv.Itoa(s.cfg.UIPort))
}

// WorkflowURL is the UI's page of a workflow; with an empty run id the list of its
// runs.
func (s *Server) WorkflowURL(workflowID, runID string) string {
	page := s.UIURL() + "/namespaces/" + url.PathEscape(s.cfg.Namespace) + "/workflows/"
	if runID == "" {
		return strings.TrimSuffix(page, "/") + "?" + url.Values{"query": {fmt.Sprintf("WorkflowId=%q", workflowID)}}.Encode()
	}
	return page + url.PathEscape(workflowID) + "/" + url.PathEscape(runID)
}

// StatusURL is the UI's page of a run's summary and current details, decoded by the
// codec server.
func (s *Server) StatusURL(workflowID, runID string) string {
	return s.WorkflowURL(workflowID, runID) + "/user-metadata"
}

// Stop stops the UI and the server and returns when they are down, about a second
// later. State stays in the file, and the same process may start a server on it
// again. Stopping twice is harmless.
func (s *Server) Stop() error {
	s.log.quiet() // services that stop one after the other complain about each other
	if s.ui != nil {
		s.ui.Stop()
		<-s.uiDone
		s.ui = nil
	}
	var err error
	if s.server != nil {
		err = s.server.Stop()
		s.server = nil
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
		s.lock = nil
	}
	return err
}

// complete fills in what the caller left open and checks the ports. It returns the
// ports of the server's own services: history, matching, worker.
func complete(cfg *Config) ([]int, error) {
	if cfg.Host == "" {
		cfg.Host = "127.0.0.1"
	}
	if ip := net.ParseIP(cfg.Host); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("the Temporal server: host %q is no loopback address, and the server asks nobody who they are", cfg.Host)
	}
	if cfg.Namespace == "" {
		cfg.Namespace = DefaultNamespace
	}
	if cfg.SQLiteFile == "" {
		return nil, errors.New("the Temporal server: no SQLite file is given")
	}
	file, err := filepath.Abs(cfg.SQLiteFile)
	if err != nil {
		return nil, err
	}
	cfg.SQLiteFile = file
	free, err := ports.Free(5)
	if err != nil {
		return nil, err
	}
	if cfg.Port == 0 {
		cfg.Port = free[3]
	}
	if cfg.UIPort == 0 {
		cfg.UIPort = free[4]
	}
	return free[:3], ports.Check(cfg.Host,
		ports.Port{Number: cfg.Port, Purpose: "the Temporal server", Variable: PortVariable},
		ports.Port{Number: cfg.UIPort, Purpose: "the Temporal UI", Variable: UIPortVariable})
}

// fileLock is a lock on a file. It is a bare descriptor: an os.File that nobody refers
// to any more closes itself, and the lock would end before the server.
type fileLock int

// lockFile keeps a second server away from the file: with other ports nothing else
// would, and two servers on one file corrupt it. The lock ends with the process.
func lockFile(path string) (*fileLock, error) {
	fd, err := syscall.Open(path, syscall.O_CREAT|syscall.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the Temporal server: %w", &os.PathError{Op: "open", Path: path, Err: err})
	}
	lock := fileLock(fd)
	if err := syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("another Temporal server uses %s: stop it, or choose another directory", strings.TrimSuffix(path, ".lock"))
	}
	return &lock, nil
}

// Close gives the lock back.
func (l fileLock) Close() error { return syscall.Close(int(l)) }

func sqliteStore(file string) *config.SQL {
	return &config.SQL{
		PluginName: sqlite.PluginName,
		// The plugin puts the name into a file: URL as it is.
		DatabaseName: (&url.URL{Path: file}).EscapedPath(),
		ConnectAttributes: map[string]string{
			"mode":         "rwc",
			"journal_mode": "wal",
			"synchronous":  "1", // NORMAL: every commit outlives the death of the process
		},
	}
}

// prepareStore creates the tables in a new file and the namespace in a file that
// lacks it.
func prepareStore(store *config.SQL, cfg Config) error {
	// The marker tells a file whose tables are not all there from a good one, because
	// the schema cannot be applied twice.
	marker := cfg.SQLiteFile + ".unfinished"
	_, err := os.Stat(cfg.SQLiteFile)
	_, markerErr := os.Stat(marker)
	if errors.Is(err, fs.ErrNotExist) || markerErr == nil {
		for _, suffix := range []string{"", "-wal", "-shm"} {
			if err := os.Remove(cfg.SQLiteFile + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		for _, name := range []string{marker, cfg.SQLiteFile} {
			if err := os.WriteFile(name, nil, 0o600); err != nil {
				return err
			}
		}
		if err := sqliteschema.SetupSchema(store); err != nil {
			return err
		}
		if err := os.Remove(marker); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	namespace, err := sqliteschema.NewNamespaceConfig(clusterName, cfg.Namespace, false, nil)
	if err != nil {
		return err
	}
	namespace.Detail.Config.Retention = timestamp.DurationPtr(retention)
	return sqliteschema.CreateNamespaces(store, namespace)
}

func newServer(cfg Config, log *logger, store *config.SQL, own []int) (temporal.Server, error) {
	address := net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.Port))
	serverConfig := &config.Config{
		Global: config.Global{Membership: config.Membership{MaxJoinDuration: 30 * time.Second, BroadcastAddress: cfg.Host}},
		Persistence: config.Persistence{
			NumHistoryShards: historyShards,
			DefaultStore:     sqlite.PluginName,
			VisibilityStore:  sqlite.PluginName,
			DataStores:       map[string]config.DataStore{sqlite.PluginName: {SQL: store}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{
				clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: address},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		PublicClient:        config.PublicClient{HostPort: address},
		Services:            make(map[string]config.Service),
	}
	const disabled = "disabled"
	serverConfig.Archival.History.State, serverConfig.Archival.Visibility.State = disabled, disabled
	serverConfig.NamespaceDefaults.Archival.History.State = disabled
	serverConfig.NamespaceDefaults.Archival.Visibility.State = disabled

	servicePorts := map[primitives.ServiceName]int{
		primitives.FrontendService: cfg.Port,
		primitives.HistoryService:  own[0],
		primitives.MatchingService: own[1],
		primitives.WorkerService:   own[2],
	}
	hosts := make(map[primitives.ServiceName]static.Hosts, len(servicePorts))
	for name, port := range servicePorts {
		serverConfig.Services[string(name)] = config.Service{RPC: config.RPC{GRPCPort: port, BindOnIP: cfg.Host}}
		hosts[name] = static.SingleLocalHost(net.JoinHostPort(cfg.Host, strconv.Itoa(port)))
	}

	claims, err := authorization.GetClaimMapperFromConfig(&serverConfig.Global.Authorization, log)
	if err != nil {
		return nil, err
	}
	return temporal.NewServer(
		temporal.WithConfig(serverConfig),
		temporal.ForServices(slices.Collect(maps.Keys(serverConfig.Services))),
		temporal.WithStaticHosts(hosts),
		temporal.WithDynamicConfigClient(withContinueAsNew(cfg.SuggestContinueAsNewAfter)),
		temporal.WithLogger(log),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return claims }),
	)
}

func (s *Server) startUI() {
	s.ui = uiserver.NewServer(uioptions.WithConfigProvider(&uiconfig.Config{
		Host:                s.cfg.Host,
		Port:                s.cfg.UIPort,
		TemporalGRPCAddress: s.Address(),
		EnableUI:            true,
		DefaultNamespace:    s.cfg.Namespace,
		Codec:               uiconfig.Codec{Endpoint: s.cfg.CodecEndpoint},
		// A lifecycle is acted on through Helsebro, which writes down who did it.
		WorkflowTerminateDisabled: true, WorkflowResetDisabled: true, WorkflowSignalDisabled: true, WorkflowUpdateDisabled: true,
		BatchActionsDisabled: true, StartWorkflowDisabled: true,
		// Plain http on the loopback; a Secure cookie would never come back.
		CORS: uiconfig.CORS{CookieInsecure: true, AllowOrigins: []string{s.UIURL()}},
		// Nothing leaves this machine.
		DisableNewsFetch: true,
		HideLogs:         true,
	}))
	s.uiDone = make(chan struct{})
	go func() {
		defer close(s.uiDone)
		_ = s.ui.Start() // its only error is logged by itself
	}()
}

// awaitServer waits until the frontend says that it serves.
func (s *Server) awaitServer(ctx context.Context) error {
	conn, err := grpc.NewClient(s.Address(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // it was only asked
	health := healthpb.NewHealthClient(conn)
	return await(ctx, func() error {
		answer, err := health.Check(ctx, &healthpb.HealthCheckRequest{
			Service: "temporal.api.workflowservice.v1.WorkflowService",
		})
		if err == nil && answer.Status != healthpb.HealthCheckResponse_SERVING {
			err = errors.New("the server does not serve yet")
		}
		return err
	})
}

func (s *Server) awaitUI(ctx context.Context) error {
	return await(ctx, func() error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.UIURL()+"/healthz", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close() //nolint:errcheck // it was only asked
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	})
}

// await asks every few milliseconds until the answer is good or ctx ends.
func await(ctx context.Context, ask func() error) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-tick.C:
		}
	}
}
