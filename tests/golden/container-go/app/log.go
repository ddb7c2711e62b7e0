package main

import (
	"encoding/json"
	"io"
	"sync"
	"time"
)

// Logger writes one JSON object per event.
type Logger struct {
	mutex sync.Mutex
	out   io.Writer
}

// Log writes one event; the fields stand beside time, level and message.
func (logger *Logger) Log(level, message string, fields map[string]any) {
	event := map[string]any{
		"time":    time.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
		"level":   level,
		"message": message,
	}
	for name, value := range fields {
		event[name] = value
	}
	line, err := json.Marshal(event)
	if err != nil {
		return
	}
	logger.mutex.Lock()
	defer logger.mutex.Unlock()
	_, _ = logger.out.Write(append(line, '\n'))
}
