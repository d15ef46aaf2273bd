//! The numbers and texts of the protocol, and what clients make of them.

use centrifuge_protocol::{
    CloseReason, CloseReasonError, DisconnectCode, Error, ErrorCode, should_reconnect,
};

#[test]
fn error_codes() {
    let table = [
        (100, "internal server error", true),
        (101, "unauthorized", false),
        (102, "unknown channel", false),
        (103, "permission denied", false),
        (104, "method not found", false),
        (105, "already subscribed", false),
        (106, "limit exceeded", false),
        (107, "bad request", false),
        (108, "not available", false),
        (109, "token expired", false),
        (110, "expired", false),
        (111, "too many requests", true),
        (112, "unrecoverable position", false),
        (113, "concurrent pagination", true),
    ];
    assert_eq!(
        ErrorCode::ALL.map(|code| (code.code(), code.message(), code.is_temporary())),
        table
    );
    for code in ErrorCode::ALL {
        assert_eq!(ErrorCode::from_code(code.code()), Some(code));
        let error = Error::new(code);
        assert_eq!(
            (error.code, error.message.as_str(), error.temporary),
            (code.code(), code.message(), code.is_temporary())
        );
    }
    assert_eq!(ErrorCode::from_code(114), None);
}

#[test]
fn disconnect_codes() {
    let table = [
        (3000, "connection closed", true),
        (3001, "shutdown", true),
        (3004, "internal server error", true),
        (3005, "connection expired", true),
        (3006, "subscription expired", true),
        (3008, "slow", true),
        (3009, "write error", true),
        (3010, "insufficient state", true),
        (3011, "force reconnect", true),
        (3012, "no pong", true),
        (3013, "too many requests", true),
        (3014, "state invalidated", true),
        (3500, "invalid token", false),
        (3501, "bad request", false),
        (3502, "stale", false),
        (3503, "force disconnect", false),
        (3504, "connection limit", false),
        (3505, "channel limit", false),
        (3506, "inappropriate protocol", false),
        (3507, "permission denied", false),
        (3508, "not available", false),
        (3509, "too many errors", false),
    ];
    assert_eq!(
        DisconnectCode::ALL.map(|code| (code.code(), code.meaning(), code.is_reconnectable())),
        table
    );
    for code in DisconnectCode::ALL {
        assert_eq!(DisconnectCode::from_code(code.code()), Some(code));
        assert_eq!(code.default_reason().as_str(), code.meaning());
    }
    for unused in [3002, 3003, 3007, 3510] {
        assert_eq!(DisconnectCode::from_code(unused), None);
    }
}

#[test]
fn clients_reconnect_outside_the_terminal_ranges() {
    for code in [1000, 1001, 1006, 3000, 3499, 4000, 4499, 5000, u16::MAX] {
        assert!(should_reconnect(code), "{code}");
    }
    for code in [1009, 3500, 3999, 4500, 4999] {
        assert!(!should_reconnect(code), "{code}");
    }
}

#[track_caller]
fn check_reason(text: &str, expected: Result<(), CloseReasonError>) {
    let reason = CloseReason::new(text);
    assert_eq!(reason.clone().map(|_| ()), expected, "{text:?}");
    if let Ok(reason) = reason {
        assert_eq!(reason.as_str(), text);
        assert!(serde_json::from_str::<serde_json::Value>(text).is_err());
    }
}

#[test]
fn close_reasons_are_text_that_is_not_json() {
    check_reason("bad request: history without channel", Ok(()));
    check_reason("true enough", Ok(()));
    check_reason("nullify", Ok(()));
    check_reason("", Err(CloseReasonError::Empty));
    for json in [
        "{}", "123", "-1", "\"text\"", "[]", "null", "true", "false ", "null\n", " null",
    ] {
        check_reason(json, Err(CloseReasonError::LikeJson));
    }
    check_reason("NaN", Err(CloseReasonError::LikeJson));
}

#[test]
fn close_reasons_fit_a_close_frame() {
    check_reason(&"a".repeat(123), Ok(()));
    check_reason(&"a".repeat(124), Err(CloseReasonError::TooLong));
    // 63 characters, but 124 bytes.
    check_reason(
        &format!("aa{}", "é".repeat(61)),
        Err(CloseReasonError::TooLong),
    );
    check_reason(&format!("a{}", "é".repeat(61)), Ok(()));
}

#[test]
#[should_panic(expected = "not usable as a close reason")]
fn a_static_reason_that_is_json_panics() {
    CloseReason::from_static("{}");
}
