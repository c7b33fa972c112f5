//! Faults and the request log, which all stand-ins share.

use emulators::{Doppler, Fault};
use serde_json::json;

use crate::raw;

#[test]
fn a_fault_counts_its_requests_and_keeps_its_headers() {
    let doppler = Doppler::start();
    doppler.fail("GET /v3/*", Fault::status(429).header("retry-after", "7").after(1).times(1));
    let statuses = [(); 3].map(|()| raw::get(&doppler.url(), "/v3/me", doppler.token()));
    assert_eq!(statuses.each_ref().map(|answer| answer.status), [200, 429, 200]);
    assert_eq!(statuses[1].header("retry-after").as_deref(), Some("7"));
    assert!(statuses[1].header("x-request-id").is_some());
}

#[test]
fn a_cut_body_is_shorter_than_promised() {
    let doppler = Doppler::start();
    doppler.fail("GET *", Fault::none().cut_mid_body());
    let answer = raw::get(&doppler.url(), "/v3/me", doppler.token());
    let promised = answer.header("content-length").unwrap().parse::<usize>().unwrap();
    assert!(answer.body.len() < promised && !answer.body.is_empty(), "{} of {promised}", answer.body.len());
}

#[test]
fn a_reset_loses_the_answer_and_may_keep_the_effect() {
    let doppler = Doppler::start();
    let token = doppler.service_token("prd");
    let body = json!({ "token": token }).to_string();
    doppler.fail("POST /v3/auth/revoke", Fault::reset().times(1));
    assert!(raw::send(&doppler.url(), "POST", "/v3/auth/revoke", &[], body.as_bytes()).is_none());
    assert!(doppler.live_tokens().contains(&token));
    doppler.fail("POST /v3/auth/revoke", Fault::reset().carried_out());
    assert!(raw::send(&doppler.url(), "POST", "/v3/auth/revoke", &[], body.as_bytes()).is_none());
    assert!(!doppler.live_tokens().contains(&token));
}

#[test]
fn a_reset_in_the_middle_of_a_request_reaches_neither_the_service_nor_the_log() {
    let doppler = Doppler::start();
    doppler.fail("POST *", Fault::reset_mid_request().times(1));
    // More than the connection holds by itself: the sender is still sending.
    let address = doppler.url().strip_prefix("http://").unwrap().to_owned();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let head = "POST /v3/nothing HTTP/1.1\r\nhost: x\r\ncontent-length: 50000000\r\n\r\n";
    std::io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
    assert!(std::io::Write::write_all(&mut stream, &vec![b'x'; 50_000_000]).is_err());
    assert!(doppler.requests().is_empty());
    assert_eq!(raw::get(&doppler.url(), "/v3/me", doppler.token()).status, 200);
}

#[test]
fn the_log_holds_each_request_whole() {
    let doppler = Doppler::start();
    raw::write(&doppler.url(), "POST", "/v3/nothing?a=b", "t0ken", &json!({ "x": 1 }));
    let requests = doppler.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!((requests[0].method.as_str(), requests[0].path.as_str()), ("POST", "/v3/nothing"));
    assert_eq!(requests[0].parameter("a").as_deref(), Some("b"));
    assert_eq!(requests[0].bearer(), Some("t0ken"));
    assert_eq!(requests[0].json(), json!({ "x": 1 }));
}

#[test]
fn dropping_a_stand_in_does_not_wait_for_those_it_keeps_waiting() {
    let doppler = Doppler::start();
    doppler.fail("* *", Fault::hang());
    let url = doppler.url();
    let waiting = std::thread::spawn(move || raw::send(&url, "GET", "/v3/me", &[], b"").is_none());
    while doppler.requests().is_empty() {
        std::thread::yield_now();
    }
    drop(doppler);
    assert!(waiting.join().unwrap());
}
