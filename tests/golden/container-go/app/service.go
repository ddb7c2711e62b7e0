package main

import (
	"encoding/json"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// Service answers HTTP requests.
type Service struct {
	config   Config
	logger   *Logger
	draining atomic.Bool
}

// NewService makes a service that is not listening yet.
func NewService(config Config, logger *Logger) *Service {
	return &Service{config: config, logger: logger}
}

// StartDraining makes the service answer that it isn't ready any more.
func (service *Service) StartDraining() {
	service.draining.Store(true)
}

// ServeHTTP answers one request and logs it, unless a probe made it.
func (service *Service) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	started := time.Now()
	status := service.answer(response, request)
	if request.URL.Path == "/livez" || request.URL.Path == "/readyz" {
		return
	}
	service.logger.Log("info", "request", map[string]any{
		"method":       request.Method,
		"path":         request.URL.RequestURI(),
		"status":       status,
		"milliseconds": float64(time.Since(started).Microseconds()) / 1000,
	})
}

func (service *Service) answer(response http.ResponseWriter, request *http.Request) int {
	text := func(status int, body string) int {
		response.Header().Set("Content-Type", "text/plain")
		response.WriteHeader(status)
		_, _ = response.Write([]byte(body))
		return status
	}
	if request.Method != http.MethodGet && request.Method != http.MethodHead {
		return text(http.StatusMethodNotAllowed, "method not allowed\n")
	}
	switch request.URL.Path {
	case "/":
		host, _ := os.Hostname()
		page := map[string]string{"greeting": service.config.Greeting, "host": host}
		response.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(response).Encode(page)
		return http.StatusOK
	case "/livez":
		return text(http.StatusOK, "ok\n")
	case "/readyz":
		if service.draining.Load() {
			return text(http.StatusServiceUnavailable, "draining\n")
		}
		return text(http.StatusOK, "ok\n")
	default:
		return text(http.StatusNotFound, "not found\n")
	}
}
