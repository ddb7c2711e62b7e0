package main

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// Config holds the parameters; their names, defaults and units are the container's interface.
type Config struct {
	Host          string
	Port          uint16
	Greeting      string
	ShutdownGrace time.Duration
}

// ConfigFrom checks every parameter of an environment; an empty one counts as not set.
func ConfigFrom(lookup func(name string) string) (Config, error) {
	value := func(name, byDefault string) string {
		if text := lookup(name); text != "" {
			return text
		}
		return byDefault
	}
	port, err := parsePort("PORT", value("PORT", "8080"))
	if err != nil {
		return Config{}, err
	}
	grace, err := parseDuration("SHUTDOWN_GRACE", value("SHUTDOWN_GRACE", "10s"))
	if err != nil {
		return Config{}, err
	}
	return Config{
		Host:          value("HOST", "0.0.0.0"),
		Port:          port,
		Greeting:      value("GREETING", "Hello"),
		ShutdownGrace: grace,
	}, nil
}

var (
	portPattern     = regexp.MustCompile(`^[0-9]{1,5}$`)
	durationPattern = regexp.MustCompile(`^[0-9]{1,9}(ms|s|m|h)$`)
)

func parsePort(name, text string) (uint16, error) {
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || !portPattern.MatchString(text) {
		return 0, fmt.Errorf("%s must be a port from 0 to 65535, not %q", name, text)
	}
	return uint16(port), nil
}

func parseDuration(name, text string) (time.Duration, error) {
	duration, err := time.ParseDuration(text)
	if err != nil || !durationPattern.MatchString(text) {
		return 0, fmt.Errorf("%s must be a duration such as 500ms, 10s or 1m, not %q", name, text)
	}
	return duration, nil
}
