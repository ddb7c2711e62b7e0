// A small HTTP service whose parameters are environment variables.
package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

func main() {
	logger := &Logger{out: os.Stdout}
	config, err := ConfigFrom(os.Getenv)
	if err != nil {
		logger.Log("error", err.Error(), nil)
		os.Exit(2)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port))))
	if err != nil {
		logger.Log("error", err.Error(), nil)
		os.Exit(2)
	}
	if err := run(config, logger, listener); err != nil {
		logger.Log("error", err.Error(), nil)
		os.Exit(1)
	}
}

// run serves until SIGTERM or SIGINT, then finishes the requests under way within the grace.
func run(config Config, logger *Logger, listener net.Listener) error {
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer cancel()

	service := NewService(config, logger)
	server := &http.Server{Handler: service, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 60 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	logger.Log("info", "listening", map[string]any{"address": listener.Addr().String()})

	select {
	case err := <-failed:
		return err
	case <-stop.Done():
	}
	logger.Log("info", "draining", nil)
	service.StartDraining()
	grace, cancelGrace := context.WithTimeout(context.Background(), config.ShutdownGrace)
	defer cancelGrace()
	if err := server.Shutdown(grace); errors.Is(err, context.DeadlineExceeded) {
		logger.Log("warn", "requests were still under way when the grace ran out", nil)
	} else if err != nil {
		return err
	}
	logger.Log("info", "stopped", nil)
	return nil
}
