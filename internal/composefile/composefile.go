// Package composefile reads docker-compose.yml for the tests that hold it against
// the code: internal/config (settings), starter/cli (commands and mounted files)
// and internal/devstack/composetest, which runs its processes without containers.
package composefile

import (
	"fmt"
	"os"
	"strings"

	"gopkg.in/yaml.v3"
)

// Image is the image with Helsebro's own programs.
const Image = "helsebro:local"

// File is what the tests read of docker-compose.yml.
type File struct {
	Services map[string]Service `yaml:"services"`
}

// Service is one service, its YAML merges done and its ${VARIABLES} as written.
type Service struct {
	Image           string                `yaml:"image"`
	Build           string                `yaml:"build"`
	Command         []string              `yaml:"command"`
	Restart         string                `yaml:"restart"`
	StopGracePeriod string                `yaml:"stop_grace_period"`
	Environment     map[string]string     `yaml:"environment"`
	Ports           []string              `yaml:"ports"`
	Volumes         []string              `yaml:"volumes"`
	DependsOn       map[string]Dependency `yaml:"depends_on"`
	Healthcheck     Healthcheck           `yaml:"healthcheck"`
}

// Dependency is what must be true of another service first.
type Dependency struct {
	// Condition is service_healthy or service_completed_successfully.
	Condition string `yaml:"condition"`
}

// Healthcheck tells whether a service is healthy.
type Healthcheck struct {
	// Test is CMD and the command.
	Test []string `yaml:"test"`
}

// Mount is a volume in a service's file system.
type Mount struct {
	// Source is a path from the repository's root, or the name of a volume.
	Source string
	// Target is where the service sees it.
	Target   string
	ReadOnly bool
}

// Read reads the file at path.
func Read(path string) (File, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return File{}, err
	}
	var f File
	if err := yaml.Unmarshal(raw, &f); err != nil {
		return File{}, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// Ours tells whether the service runs a program of Helsebro.
func (s Service) Ours() bool { return s.Image == Image }

// Mounts are the service's volumes.
func (s Service) Mounts() []Mount {
	mounts := make([]Mount, len(s.Volumes))
	for i, v := range s.Volumes {
		parts := strings.Split(v, ":")
		mounts[i].Source = parts[0]
		if len(parts) > 1 {
			mounts[i].Target = parts[1]
		}
		mounts[i].ReadOnly = len(parts) > 2 && parts[2] == "ro"
	}
	return mounts
}
