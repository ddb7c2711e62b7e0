//! A table that stays on the screen and is drawn anew, until somebody has seen enough.

use std::cmp::Ordering;
use std::io;
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Row as TableRow, Table};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::engine::usage::Row;
use crate::stack::Bytes;

/// How often the keyboard's thread looks whether it is still needed.
const LOOK: Duration = Duration::from_millis(200);

/// The columns, as they are headed.
pub const HEAD: [&str; 9] = [
    "POD", "READY", "STATUS", "RESTARTS", "CPU", "MEMORY", "REQ/S", "ERRORS", "P99",
];

/// A row's cells.
pub fn cells(row: &Row) -> Vec<String> {
    let none = || "-".to_owned();
    let traffic = row.traffic.as_ref();
    vec![
        row.pod.clone(),
        format!("{}/{}", row.ready, row.containers),
        row.status.clone(),
        row.restarts.to_string(),
        row.cpu
            .map_or_else(none, |cores| format!("{:.1}%", cores * 100.0)),
        match (row.memory, row.memory_limit) {
            (Some(used), Some(limit)) => format!("{} / {}", size(used), Bytes(limit)),
            (Some(used), None) => size(used),
            (None, _) => none(),
        },
        traffic.map_or_else(none, |traffic| format!("{:.1}", traffic.requests_per_second)),
        traffic.map_or_else(none, |traffic| format!("{:.1}%", traffic.errors * 100.0)),
        traffic
            .and_then(|traffic| traffic.p99)
            .map_or_else(none, |seconds| format!("{:.1} ms", seconds * 1000.0)),
    ]
}

/// `12.3Mi`.
fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "one digit behind the point is shown")]
    let mebibytes = bytes as f64 / f64::from(1 << 20);
    if mebibytes >= 1024.0 {
        format!("{:.1}Gi", mebibytes / 1024.0)
    } else {
        format!("{mebibytes:.1}Mi")
    }
}

/// What rows are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// The pod's name; as the stack has it.
    #[default]
    Name,
    /// The busiest first.
    Cpu,
    /// The biggest first.
    Memory,
    /// The most asked first.
    Requests,
}

impl Order {
    /// Puts rows in order.
    pub fn sort(self, rows: &mut [Row]) {
        let rate = |row: &Row| row.traffic.map(|traffic| traffic.requests_per_second);
        let most = |left: Option<f64>, right: Option<f64>| match (left, right) {
            (Some(left), Some(right)) => right.total_cmp(&left),
            (left, right) => right.is_some().cmp(&left.is_some()),
        };
        rows.sort_by(|left, right| match self {
            Self::Name => Ordering::Equal,
            Self::Cpu => most(left.cpu, right.cpu),
            Self::Memory => right.memory.cmp(&left.memory),
            Self::Requests => most(rate(left), rate(right)),
        });
    }

    fn of_key(key: char) -> Option<Self> {
        match key {
            'n' => Some(Self::Name),
            'c' => Some(Self::Cpu),
            'm' => Some(Self::Memory),
            'r' => Some(Self::Requests),
            _ => None,
        }
    }
}

/// What somebody wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// To see no more.
    End,
    /// Another order.
    Order(Order),
    /// To see rows further down, or up.
    Scroll(i32),
    /// The same in another size.
    Redraw,
}

/// The screen, taken over; given back when dropped.
pub struct Screen {
    terminal: DefaultTerminal,
    offset: usize,
}

impl Screen {
    /// Takes the screen over; what is typed comes out of the receiver.
    pub fn take() -> io::Result<(Self, UnboundedReceiver<Wish>)> {
        let terminal = ratatui::try_init()?;
        let (sender, wishes) = unbounded_channel();
        std::thread::spawn(move || {
            while !sender.is_closed() {
                if !event::poll(LOOK).unwrap_or(false) {
                    continue;
                }
                let Ok(event) = event::read() else {
                    // The terminal is gone.
                    let _ = sender.send(Wish::End);
                    return;
                };
                if let Some(wish) = wish(&event) {
                    let _ = sender.send(wish);
                }
            }
        });
        Ok((Self { terminal, offset: 0 }, wishes))
    }

    /// Moves the rows.
    pub fn scroll(&mut self, lines: i32) {
        let lines = isize::try_from(lines).unwrap_or_default();
        self.offset = self.offset.saturating_add_signed(lines);
    }

    /// Draws rows.
    pub fn draw(&mut self, stack: &str, rows: &[Row], order: Order) -> io::Result<()> {
        self.offset = self.offset.min(rows.len().saturating_sub(1));
        let offset = self.offset;
        self.terminal.draw(|frame| {
            let [head, body, foot] =
                Layout::vertical([Constraint::Length(1), Constraint::Min(1), Constraint::Length(1)])
                    .areas(frame.area());
            let title = Line::from(vec![
                Span::styled(stack, Style::new().add_modifier(Modifier::BOLD)),
                Span::raw(format!("  {} pods, by {}", rows.len(), name(order))),
            ]);
            frame.render_widget(title, head);
            frame.render_widget(draw(&rows[offset..]), body);
            let keys = "q ends · n c m r order by name, CPU, memory, requests · ↑ ↓ scroll";
            frame.render_widget(Line::styled(keys, Style::new().fg(Color::DarkGray)), foot);
        })?;
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

fn name(order: Order) -> &'static str {
    match order {
        Order::Name => "name",
        Order::Cpu => "CPU",
        Order::Memory => "memory",
        Order::Requests => "requests",
    }
}

fn draw(rows: &[Row]) -> Table<'static> {
    let all: Vec<Vec<String>> = rows.iter().map(cells).collect();
    let widths = HEAD.iter().enumerate().map(|(column, head)| {
        let cells = all.iter().map(|cells| cells[column].chars().count());
        let width = cells.chain([head.chars().count()]).max().unwrap_or_default();
        Constraint::Length(u16::try_from(width).unwrap_or(u16::MAX))
    });
    let lines = rows.iter().zip(&all).map(|(row, cells)| {
        let style = if row.status == "completed" {
            Style::new().fg(Color::DarkGray)
        } else if row.ready == row.containers && row.status == "running" {
            Style::new()
        } else {
            Style::new().fg(Color::Yellow)
        };
        TableRow::new(cells.iter().map(|cell| Cell::from(cell.clone()))).style(style)
    });
    Table::new(lines, widths.collect::<Vec<_>>())
        .header(TableRow::new(HEAD.map(Cell::from)).style(Style::new().add_modifier(Modifier::BOLD)))
        .column_spacing(2)
}

fn wish(event: &Event) -> Option<Wish> {
    match event {
        Event::Resize(..) => Some(Wish::Redraw),
        Event::Key(key) if key.kind != KeyEventKind::Release => match key.code {
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Some(Wish::End),
            KeyCode::Char('q') | KeyCode::Esc => Some(Wish::End),
            KeyCode::Char('j') | KeyCode::Down => Some(Wish::Scroll(1)),
            KeyCode::Char('k') | KeyCode::Up => Some(Wish::Scroll(-1)),
            KeyCode::PageDown => Some(Wish::Scroll(10)),
            KeyCode::PageUp => Some(Wish::Scroll(-10)),
            KeyCode::Char(key) => Order::of_key(key).map(Wish::Order),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::crossterm::event::KeyEvent;

    use super::*;
    use crate::engine::usage::Traffic;

    fn rows() -> Vec<Row> {
        let row = |pod: &str, cpu, memory, traffic| Row {
            pod: pod.to_owned(),
            ready: 1,
            containers: 1,
            status: "running".to_owned(),
            restarts: 0,
            cpu,
            memory,
            memory_limit: Some(64 << 20),
            traffic,
        };
        let traffic = Traffic {
            requests_per_second: 12.34,
            errors: 0.25,
            p99: Some(0.0123),
        };
        let mut failed = row("db-0", None, None, None);
        failed.ready = 0;
        failed.status = "exited (1)".to_owned();
        vec![
            failed,
            row("api-0", Some(0.5), Some(12 << 20), Some(traffic)),
            row("web-0", Some(1.5), Some(3 << 30), None),
        ]
    }

    #[test]
    fn cells_say_their_units() {
        let found: Vec<String> = rows().iter().map(|row| cells(row).join(" | ")).collect();
        assert_eq!(
            found,
            [
                "db-0 | 0/1 | exited (1) | 0 | - | - | - | - | -",
                "api-0 | 1/1 | running | 0 | 50.0% | 12.0Mi / 64Mi | 12.3 | 25.0% | 12.3 ms",
                "web-0 | 1/1 | running | 0 | 150.0% | 3.0Gi / 64Mi | - | - | -",
            ]
        );
    }

    #[test]
    fn the_most_come_first() {
        let check = |order: Order, expect: [&str; 3]| {
            let mut rows = rows();
            order.sort(&mut rows);
            assert_eq!(
                rows.iter().map(|row| row.pod.as_str()).collect::<Vec<_>>(),
                expect
            );
        };
        check(Order::Name, ["db-0", "api-0", "web-0"]);
        check(Order::Cpu, ["web-0", "api-0", "db-0"]);
        check(Order::Memory, ["web-0", "api-0", "db-0"]);
        check(Order::Requests, ["api-0", "db-0", "web-0"]);
    }

    #[test]
    fn keys_mean_something() {
        let key = |code, modifiers| wish(&Event::Key(KeyEvent::new(code, modifiers)));
        assert_eq!(key(KeyCode::Char('q'), KeyModifiers::NONE), Some(Wish::End));
        assert_eq!(key(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Wish::End));
        assert_eq!(
            key(KeyCode::Char('c'), KeyModifiers::NONE),
            Some(Wish::Order(Order::Cpu))
        );
        assert_eq!(key(KeyCode::Down, KeyModifiers::NONE), Some(Wish::Scroll(1)));
        assert_eq!(key(KeyCode::Char('x'), KeyModifiers::NONE), None);
    }

    #[test]
    fn a_table_is_drawn_into_whatever_room_there_is() {
        for (width, height) in [(100, 8), (20, 3), (1, 1)] {
            let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
            terminal
                .draw(|frame| frame.render_widget(draw(&rows()), frame.area()))
                .unwrap();
            let shown = terminal.backend().to_string();
            if width == 100 {
                assert!(shown.contains("POD    READY  STATUS"), "{shown}");
                assert!(shown.contains("api-0  1/1    running"), "{shown}");
            }
        }
    }
}
