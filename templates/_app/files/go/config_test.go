package main

import (
	"strings"
	"testing"
	"time"
)

func configOf(env map[string]string) (Config, error) {
	return ConfigFrom(func(name string) string { return env[name] })
}

var defaults = Config{Host: "0.0.0.0", Port: 8080, Greeting: "Hello", ShutdownGrace: 10 * time.Second}

func TestDefaults(t *testing.T) {
	for _, env := range []map[string]string{{}, {"PORT": "", "SHUTDOWN_GRACE": ""}} {
		if config, err := configOf(env); err != nil || config != defaults {
			t.Errorf("%v gave %v, %v", env, config, err)
		}
	}
}

func TestEveryParameterCanBeGiven(t *testing.T) {
	env := map[string]string{"HOST": "127.0.0.1", "PORT": "9000", "GREETING": "Hi", "SHUTDOWN_GRACE": "500ms"}
	want := Config{Host: "127.0.0.1", Port: 9000, Greeting: "Hi", ShutdownGrace: 500 * time.Millisecond}
	if config, err := configOf(env); err != nil || config != want {
		t.Errorf("got %v, %v", config, err)
	}
}

func TestUnits(t *testing.T) {
	units := map[string]time.Duration{"250ms": 250 * time.Millisecond, "2s": 2 * time.Second, "3m": 3 * time.Minute, "1h": time.Hour}
	for text, want := range units {
		if config, err := configOf(map[string]string{"SHUTDOWN_GRACE": text}); err != nil || config.ShutdownGrace != want {
			t.Errorf("%s gave %v, %v", text, config.ShutdownGrace, err)
		}
	}
}

func TestNonsenseIsRefusedByName(t *testing.T) {
	wrong := [][2]string{{"PORT", "http"}, {"PORT", "65536"}, {"PORT", "-1"}, {"PORT", " 80"}, {"SHUTDOWN_GRACE", "10"}}
	for _, pair := range wrong {
		_, err := configOf(map[string]string{pair[0]: pair[1]})
		if err == nil || !strings.Contains(err.Error(), pair[0]) {
			t.Errorf("%s=%q gave %v", pair[0], pair[1], err)
		}
	}
}
