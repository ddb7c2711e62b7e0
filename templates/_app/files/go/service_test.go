package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func newTestService() (*Service, *bytes.Buffer) {
	var log bytes.Buffer
	config := Config{Greeting: "Hi", ShutdownGrace: time.Second}
	return NewService(config, &Logger{out: &log}), &log
}

func fetch(service *Service, method, path string) *httptest.ResponseRecorder {
	response := httptest.NewRecorder()
	service.ServeHTTP(response, httptest.NewRequest(method, path, nil))
	return response
}

func TestGreets(t *testing.T) {
	service, log := newTestService()
	response := fetch(service, http.MethodGet, "/?from=test")
	var page map[string]string
	if err := json.Unmarshal(response.Body.Bytes(), &page); err != nil || page["greeting"] != "Hi" {
		t.Errorf("got %v, %v", page, err)
	}
	var event map[string]any
	if err := json.Unmarshal(log.Bytes(), &event); err != nil || event["path"] != "/?from=test" {
		t.Errorf("logged %v, %v", event, err)
	}
}

func TestProbes(t *testing.T) {
	service, log := newTestService()
	check := func(path string, status int, body string) {
		t.Helper()
		if response := fetch(service, http.MethodGet, path); response.Code != status || response.Body.String() != body {
			t.Errorf("%s gave %d %q", path, response.Code, response.Body.String())
		}
	}
	check("/livez", http.StatusOK, "ok\n")
	check("/readyz", http.StatusOK, "ok\n")
	service.StartDraining()
	check("/livez", http.StatusOK, "ok\n")
	check("/readyz", http.StatusServiceUnavailable, "draining\n")
	if log.Len() != 0 {
		t.Errorf("probes were logged: %s", log)
	}
}

func TestOtherPagesAndMethods(t *testing.T) {
	service, _ := newTestService()
	if response := fetch(service, http.MethodGet, "/nothing"); response.Code != http.StatusNotFound {
		t.Errorf("got %d", response.Code)
	}
	if response := fetch(service, http.MethodDelete, "/"); response.Code != http.StatusMethodNotAllowed {
		t.Errorf("got %d", response.Code)
	}
}
