//! How events look: in columns for people, in lines of JSON for programs.
//!
//! Invariant: stdout holds statuses and nothing else (with `--json`, every event), so that it can
//! be piped; whatever concerns the connection goes to stderr.

use ordercast_client::{Event, Missed, OrderId, TrackingStatus};
use serde::Serialize;
use std::io::{self, IsTerminal, Write};
use time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

/// Where events go and how they look there.
pub(super) struct Output {
    json: bool,
    heading: bool,
    /// The only order to show, if not all.
    only: Option<OrderId>,
    stdout: Style,
    stderr: Style,
}

/// Whether escape sequences are welcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Plain,
    Coloured,
}

/// A line of `--json`.
#[derive(Serialize)]
struct JsonLine<'a> {
    time: String,
    #[serde(flatten)]
    event: &'a Event,
}

const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";

impl Output {
    pub(super) fn new(json: bool, only: Option<OrderId>) -> Self {
        // https://no-color.org: set and not empty.
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let style = |terminal: bool| {
            if terminal && !plain {
                Style::Coloured
            } else {
                Style::Plain
            }
        };
        let terminal = io::stdout().is_terminal();
        Self {
            json,
            // In a pipe it would be taken for an order.
            heading: terminal && !json,
            only,
            stdout: style(terminal),
            stderr: style(io::stderr().is_terminal()),
        }
    }

    pub(super) fn heading(&self) -> io::Result<()> {
        if !self.heading {
            return Ok(());
        }
        let heading = columns("TIME", "ORDER", "STATUS", "HOW");
        writeln!(
            io::stdout(),
            "{}",
            self.stdout.paint(DIM, heading.trim_end())
        )
    }

    pub(super) fn show(&self, now: OffsetDateTime, event: &Event) -> io::Result<()> {
        if let (Some(only), Event::Status { order_id, .. }) = (self.only, event)
            && only != *order_id
        {
            return Ok(());
        }
        if self.json {
            // More digits than a network has meaning for.
            let now = now.replace_millisecond(now.millisecond()).unwrap_or(now);
            let line = JsonLine {
                time: now.format(&Rfc3339).unwrap_or_default(),
                event,
            };
            return writeln!(io::stdout(), "{}", serde_json::to_string(&line)?);
        }
        match status_line(now, event, self.stdout) {
            Some(line) => writeln!(io::stdout(), "{line}"),
            None => writeln!(io::stderr(), "{}", connection_line(now, event, self.stderr)),
        }
    }
}

impl Style {
    fn paint(self, colour: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Coloured => format!("\x1b[{colour}m{text}\x1b[0m"),
        }
    }
}

/// Wide enough for the greatest order id, 2147483647, and the longest status.
fn columns(time: &str, order: &str, status: &str, how: &str) -> String {
    format!("{time:<8}  {order:>10}  {status:<8}  {how}")
}

fn status_line(now: OffsetDateTime, event: &Event, style: Style) -> Option<String> {
    let Event::Status {
        order_id,
        status,
        how,
        ..
    } = event
    else {
        return None;
    };
    let line = columns(
        &clock(now),
        &order_id.to_string(),
        status.as_str(),
        how.as_str(),
    );
    // Painted afterwards: escape sequences would count as width.
    let colour = match status {
        TrackingStatus::New => return Some(line),
        TrackingStatus::Paid => YELLOW,
        TrackingStatus::Done => GREEN,
        TrackingStatus::Canceled => RED,
    };
    let word = status.as_str();
    Some(line.replacen(word, &style.paint(colour, word), 1))
}

fn connection_line(now: OffsetDateTime, event: &Event, style: Style) -> String {
    let (colour, text) = match event {
        Event::Status { status, .. } => (DIM, status.to_string()),
        Event::Connected { recovered: None } => (DIM, "connected".to_owned()),
        Event::Connected {
            recovered: Some(true),
        } => (
            DIM,
            "connected again, nothing was missed or all of it follows".to_owned(),
        ),
        Event::Connected {
            recovered: Some(false),
        } => (
            DIM,
            "connected again, reading the history for what was missed".to_owned(),
        ),
        Event::Disconnected {
            code,
            reason,
            retry_in,
        } => {
            let code = code.map(|code| format!("{code} ")).unwrap_or_default();
            let next = match retry_in {
                Some(delay) => format!("next attempt in {:.1} s", delay.as_secs_f64()),
                None => "giving up".to_owned(),
            };
            (DIM, format!("not connected: {code}{reason}; {next}"))
        }
        Event::Gap {
            missed: Missed::Offsets { first, last },
        } => (
            YELLOW,
            format!("gap: changes {first} to {last} of this buyer cannot be shown"),
        ),
        Event::Gap {
            missed: Missed::Unknown,
        } => (
            YELLOW,
            "gap: the server began a new history; changes may be missing or come twice".to_owned(),
        ),
    };
    style.paint(colour, &format!("{}  {text}", clock(now)))
}

fn clock(now: OffsetDateTime) -> String {
    let seconds = format_description!("[hour]:[minute]:[second]");
    now.format(seconds).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use ordercast_client::{How, Offset};
    use std::time::Duration;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-03-01 12:04:05 UTC);

    fn status(order: i64, status: TrackingStatus, how: How) -> Event {
        let order_id = OrderId::new(order).unwrap();
        Event::Status {
            order_id,
            status,
            offset: Offset::new(3),
            how,
        }
    }

    fn check(event: &Event, expected: &str) {
        let line = status_line(NOW, event, Style::Plain);
        let line = line.unwrap_or_else(|| connection_line(NOW, event, Style::Plain));
        assert_eq!(line, expected);
    }

    #[test]
    fn columns_are_aligned() {
        let paid = status(7, TrackingStatus::Paid, How::Pushed);
        check(&paid, "12:04:05           7  paid      pushed");
        let canceled = status(2_147_483_647, TrackingStatus::Canceled, How::Recovered);
        check(&canceled, "12:04:05  2147483647  canceled  recovered");
    }

    #[test]
    fn connections_and_gaps_are_told_in_words() {
        let event = Event::Disconnected {
            code: Some(3005),
            reason: "connection expired".to_owned(),
            retry_in: Some(Duration::from_millis(340)),
        };
        check(
            &event,
            "12:04:05  not connected: 3005 connection expired; next attempt in 0.3 s",
        );
        let (first, last) = (Offset::new(5).unwrap(), Offset::new(7).unwrap());
        let event = Event::Gap {
            missed: Missed::Offsets { first, last },
        };
        check(
            &event,
            "12:04:05  gap: changes 5 to 7 of this buyer cannot be shown",
        );
    }

    #[test]
    fn colour_is_only_the_status() {
        let done = status(7, TrackingStatus::Done, How::Polled);
        assert_eq!(
            status_line(NOW, &done, Style::Coloured).unwrap(),
            "12:04:05           7  \x1b[32mdone\x1b[0m      polled"
        );
    }

    #[test]
    fn json_lines_have_the_time_beside_the_event() {
        let event = status(7, TrackingStatus::Paid, How::Pushed);
        let line = JsonLine {
            time: NOW.format(&Rfc3339).unwrap(),
            event: &event,
        };
        assert_eq!(
            serde_json::to_string(&line).unwrap(),
            r#"{"time":"2026-03-01T12:04:05Z","event":"status","order_id":7,"status":"paid","offset":3,"how":"pushed"}"#
        );
    }
}
