//! Every metric that the server exports. `docs/metrics.md` is made of this list.

use std::fmt::Write;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, until the process ends.
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub help: &'static str,
    /// Names, each with its values; without values where they are many.
    pub labels: &'static [(&'static str, &'static [&'static str])],
    /// The room of the page that it stands in.
    section: &'static str,
}

const fn counter(section: &'static str, name: &'static str, help: &'static str) -> Metric {
    Metric {
        name,
        kind: Kind::Counter,
        help,
        labels: &[],
        section,
    }
}

const fn gauge(section: &'static str, name: &'static str, help: &'static str) -> Metric {
    Metric {
        name,
        kind: Kind::Gauge,
        help,
        labels: &[],
        section,
    }
}

const fn histogram(section: &'static str, name: &'static str, help: &'static str) -> Metric {
    Metric {
        name,
        kind: Kind::Histogram,
        help,
        labels: &[],
        section,
    }
}

impl Metric {
    const fn by(self, labels: &'static [(&'static str, &'static [&'static str])]) -> Self {
        Self { labels, ..self }
    }
}

const PROCESS: &str = "Process";
const HTTP: &str = "HTTP";
const REALTIME: &str = "Realtime";
const CHANGES: &str = "Changes and reads";
const DATABASE: &str = "Database and disk";
const PROVIDERS: &str = "Providers";
const WEBHOOKS: &str = "Webhooks and events";
const ACCESS: &str = "Access";
const JOBS: &str = "Jobs";

/// In the order of the page.
pub const METRICS: &[Metric] = &[
    gauge(
        PROCESS,
        "ordercast_build_info",
        "1, with the version as a label",
    )
    .by(&[("version", &[])]),
    gauge(
        PROCESS,
        "ordercast_process_resident_bytes",
        "Memory of the process, of Linux",
    ),
    gauge(
        PROCESS,
        "ordercast_process_cpu_seconds",
        "Processor time that the process has used",
    ),
    gauge(
        PROCESS,
        "ordercast_process_open_files",
        "Open files and sockets, of Linux",
    ),
    gauge(
        PROCESS,
        "ordercast_process_open_files_limit",
        "How many files the process may open",
    ),
    histogram(
        PROCESS,
        "ordercast_runtime_lag_seconds",
        "How much later than wanted a task wakes up: above 10 ms the processors are busy",
    ),
    counter(
        PROCESS,
        "ordercast_panics_total",
        "Bugs that were caught: the change or request failed, the server went on. The log has the place",
    ),
    gauge(
        PROCESS,
        "ordercast_certificate_not_after_seconds",
        "When the certificate of the server's own TLS ends, seconds since 1970; 0 without one",
    ),
    counter(
        PROCESS,
        "ordercast_clock_steps_total",
        "How often the clock of the machine was found to have been set",
    ),
    gauge(
        PROCESS,
        "ordercast_clock_doubt_seconds",
        "How much longer jobs wait because the clock is in doubt; 0 when it is believed",
    ),
    histogram(
        HTTP,
        "ordercast_http_request_seconds",
        "Time until a request is answered, those that ask to wait included",
    )
    .by(&[("route", &[])]),
    counter(HTTP, "ordercast_http_requests_total", "Answered requests")
        .by(&[("route", &[]), ("status", &[])]),
    counter(
        HTTP,
        "ordercast_rate_limited_total",
        "Requests refused with 429",
    )
    .by(&[("of", &[])]),
    counter(
        HTTP,
        "ordercast_tls_handshakes_failed_total",
        "TLS handshakes that came to nothing",
    )
    .by(&[("why", &["failed", "timeout", "too_many"])]),
    gauge(
        HTTP,
        "ordercast_tls_handshakes",
        "TLS handshakes that are not finished",
    ),
    gauge(
        HTTP,
        "ordercast_http_connections",
        "Open connections that are not realtime ones",
    ),
    counter(
        HTTP,
        "ordercast_sockets_refused_total",
        "Connections closed at once because a bound was reached",
    )
    .by(&[("why", &[])]),
    gauge(
        REALTIME,
        "ordercast_connections",
        "Open realtime connections",
    )
    .by(&[("transport", &[])]),
    counter(
        REALTIME,
        "ordercast_connections_refused_total",
        "Realtime connections that were not let in",
    )
    .by(&[("why", &[])]),
    counter(
        REALTIME,
        "ordercast_connects_total",
        "Connect commands by result",
    )
    .by(&[("result", &[])]),
    counter(
        REALTIME,
        "ordercast_closes_total",
        "Realtime connections that the server closed, by code",
    )
    .by(&[("code", &[])]),
    counter(
        REALTIME,
        "ordercast_publications_total",
        "Committed publications",
    ),
    counter(
        REALTIME,
        "ordercast_publications_sent_total",
        "Publications pushed to connections",
    ),
    gauge(
        REALTIME,
        "ordercast_outbound_bytes",
        "What waits for all clients together",
    ),
    gauge(
        REALTIME,
        "ordercast_inbound_bytes",
        "Messages whose rest has not come; with what waits for clients at most 256 MiB",
    ),
    gauge(
        REALTIME,
        "ordercast_channel_windows",
        "Channels whose newest publications are in memory",
    ),
    gauge(
        REALTIME,
        "ordercast_channel_window_bytes",
        "Memory of those publications",
    ),
    counter(
        REALTIME,
        "ordercast_channel_window_total",
        "Reads of channels, from memory or not",
    )
    .by(&[("result", &["hit", "miss"])]),
    counter(CHANGES, "ordercast_changes_total", "Decided changes").by(&[(
        "result",
        &["applied", "unchanged", "refused", "replayed", "failed"],
    )]),
    gauge(
        CHANGES,
        "ordercast_changes_waiting",
        "Changes that wait for the writer",
    ),
    gauge(
        CHANGES,
        "ordercast_changes_waiting_bytes",
        "Memory of the changes that wait",
    ),
    counter(
        CHANGES,
        "ordercast_changes_refused_total",
        "Changes answered 503 because too many waited",
    )
    .by(&[("why", &["queue_full"])]),
    counter(
        CHANGES,
        "ordercast_batches_total",
        "Transactions of the writer; changes divided by it is the size of a batch",
    ),
    histogram(
        CHANGES,
        "ordercast_change_wait_seconds",
        "How long the first change of a batch had waited for the writer",
    ),
    histogram(
        CHANGES,
        "ordercast_commit_seconds",
        "Time of a commit, which ends when it is flushed to disk",
    ),
    histogram(
        CHANGES,
        "ordercast_announce_seconds",
        "From the commit until connections, waiting requests and the dispatcher know of it",
    ),
    counter(
        CHANGES,
        "ordercast_acknowledged_lost_total",
        "Times that a client proved to have seen more than the database holds: it was put back to an older state",
    ),
    counter(
        CHANGES,
        "ordercast_epochs_begun_total",
        "New epochs: clients start over with what is true now",
    ),
    counter(CHANGES, "ordercast_reads_total", "Reads by lane and result")
        .by(&[("lane", &[]), ("result", &[])]),
    gauge(
        CHANGES,
        "ordercast_reads_waiting",
        "Reads that wait for a reader, by lane",
    )
    .by(&[("lane", &[])]),
    histogram(
        CHANGES,
        "ordercast_read_wait_seconds",
        "How long a read waited for a reader, by lane",
    )
    .by(&[("lane", &[])]),
    histogram(CHANGES, "ordercast_read_seconds", "Time of a read, by lane").by(&[("lane", &[])]),
    gauge(
        CHANGES,
        "ordercast_event_watches",
        "Requests that wait for an event of their project",
    ),
    gauge(
        CHANGES,
        "ordercast_order_watches",
        "Requests that wait for a change of an order",
    ),
    gauge(CHANGES, "ordercast_order_cache_entries", "Orders in memory"),
    gauge(
        CHANGES,
        "ordercast_order_cache_bytes",
        "Memory of those orders",
    ),
    counter(
        CHANGES,
        "ordercast_order_cache_total",
        "Reads of orders, from memory or not",
    )
    .by(&[("result", &["hit", "miss"])]),
    gauge(
        DATABASE,
        "ordercast_database_bytes",
        "Size of the database's file, without its log",
    ),
    gauge(
        DATABASE,
        "ordercast_database_pages",
        "Pages of the database's file",
    ),
    gauge(
        DATABASE,
        "ordercast_database_free_pages",
        "Pages that are free to be used again or given back",
    ),
    gauge(
        DATABASE,
        "ordercast_wal_bytes",
        "Size of the write-ahead log",
    ),
    counter(
        DATABASE,
        "ordercast_log_moves_total",
        "Checkpoints that the log's size asked for, by result",
    )
    .by(&[("result", &[])]),
    gauge(
        DATABASE,
        "ordercast_disk_free_bytes",
        "Free space of the disk that holds the database",
    ),
    counter(
        PROVIDERS,
        "ordercast_inbox_total",
        "Providers' webhooks by what became of them",
    )
    .by(&[("state", &[])]),
    gauge(
        PROVIDERS,
        "ordercast_inbox_parked_long",
        "Webhooks that have waited for their order for over 15 minutes",
    ),
    counter(
        PROVIDERS,
        "ordercast_inbox_expired_total",
        "Webhooks that waited for their order until their time was over",
    ),
    counter(
        PROVIDERS,
        "ordercast_inbox_refused_total",
        "Webhooks that were not taken, by reason",
    )
    .by(&[("reason", &[])]),
    counter(
        PROVIDERS,
        "ordercast_sweeps_total",
        "Questions to providers about open orders",
    )
    .by(&[("result", &[])]),
    gauge(
        WEBHOOKS,
        "ordercast_deliveries_running",
        "Webhooks that are being sent",
    ),
    gauge(
        WEBHOOKS,
        "ordercast_deliveries_pending",
        "Deliveries that were not tried yet or will be tried again, counted up to 10000",
    ),
    gauge(
        WEBHOOKS,
        "ordercast_deliveries_dead",
        "Deliveries given up when their schedule ended, up to 10000 an endpoint",
    ),
    gauge(
        WEBHOOKS,
        "ordercast_delivery_overdue_seconds",
        "How long the oldest delivery that is due has waited",
    ),
    counter(
        WEBHOOKS,
        "ordercast_delivery_attempts_total",
        "Attempts by result",
    )
    .by(&[("result", &[])]),
    histogram(
        WEBHOOKS,
        "ordercast_delivery_attempt_seconds",
        "Time until an endpoint had answered",
    ),
    gauge(
        WEBHOOKS,
        "ordercast_events_unacknowledged",
        "Events that the shop has not taken yet, counted up to 10000",
    ),
    gauge(
        WEBHOOKS,
        "ordercast_endpoints_disabled",
        "Endpoints that get nothing until somebody enables them",
    ),
    gauge(
        ACCESS,
        "ordercast_token_cache_entries",
        "User tokens whose signature is known",
    ),
    counter(
        ACCESS,
        "ordercast_token_cache_total",
        "Verified user tokens, from memory or not",
    )
    .by(&[("result", &["hit", "miss"])]),
    counter(
        ACCESS,
        "ordercast_jwks_fetches_total",
        "Fetches of key sets",
    )
    .by(&[("result", &["fetched", "failed"])]),
    counter(
        ACCESS,
        "ordercast_credentials_refused_total",
        "Buyers' tokens that were refused, by reason",
    )
    .by(&[("reason", &[])]),
    counter(
        JOBS,
        "ordercast_orders_expired_total",
        "Orders whose stated life ended",
    ),
    counter(
        JOBS,
        "ordercast_pruned_rows_total",
        "Rows deleted because of their age",
    )
    .by(&[("what", &[])]),
];

/// `docs/metrics.md`.
#[must_use]
pub fn page() -> String {
    let mut page = String::from(
        "# Metrics\n\nAt `/metrics` of the internal listener, in the text format of Prometheus. All are there from the \
         start; those whose labels are not known before, such as routes, from their first event. Times are in \
         seconds, sizes in bytes. This page is made of the descriptions in the code.\n",
    );
    let mut section = "";
    for metric in METRICS {
        if metric.section != section {
            section = metric.section;
            let _ = write!(
                page,
                "\n## {section}\n\n| metric | kind | labels | what it is |\n|---|---|---|---|\n"
            );
        }
        let labels: Vec<String> = metric.labels.iter().map(label).collect();
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} |",
            metric.name,
            metric.kind.as_str(),
            labels.join(", "),
            metric.help
        );
    }
    page
}

fn label((name, values): &(&str, &[&str])) -> String {
    if values.is_empty() {
        format!("`{name}`")
    } else {
        format!("`{name}`: {}", values.join(", "))
    }
}
