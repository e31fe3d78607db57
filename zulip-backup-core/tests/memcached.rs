//! memcached made to forget, by one that answers as it should and by those that do not.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::panic, clippy::unwrap_used)] // a test

#[path = "support/memcached.rs"]
mod memcached;

use std::time::{Duration, Instant};

use memcached::{FakeMemcached, Manner};
use zulip_backup_core::Secret;
use zulip_backup_core::memcached::{Address, Memcached};

fn flush(servers: &[&FakeMemcached], login: Option<(&str, &str)>) -> Result<(), String> {
    let addresses = servers.iter().map(|server| Address::parse(&server.address()).unwrap()).collect();
    let login = login.map(|(user, password)| (user.to_owned(), Secret::new(password)));
    Memcached { addresses, login }.flush()
}

#[test]
fn it_is_flushed_with_and_without_a_password() {
    let open = FakeMemcached::start(Manner::Open);
    flush(&[&open], None).unwrap();
    assert_eq!(open.flushed(), 1);
    // Where nobody has to log in, a password does no harm.
    flush(&[&open], Some(("zulip@localhost", "hunter2"))).unwrap();
    assert_eq!(open.flushed(), 1);
    let closed = FakeMemcached::start(Manner::Sasl("zulip@localhost", "hunter2"));
    flush(&[&closed, &open], Some(("zulip@localhost", "hunter2"))).unwrap();
    assert_eq!((closed.flushed(), open.flushed()), (1, 1));
}

#[test]
fn a_wrong_password_is_told_and_not_shown() {
    let closed = FakeMemcached::start(Manner::Sasl("zulip@localhost", "right"));
    let error = flush(&[&closed], Some(("zulip@localhost", "hunter2"))).unwrap_err();
    assert!(error.contains("does not accept the password of \"zulip@localhost\""), "{error}");
    assert!(error.contains(&closed.address()) && !error.contains("hunter2"), "{error}");
    let error = flush(&[&closed], None).unwrap_err();
    assert!(error.contains("wants a password"), "{error}");
    assert_eq!(closed.flushed(), 0);
}

#[test]
fn one_that_fails_does_not_keep_the_others_from_being_flushed() {
    let (broken, open) = (FakeMemcached::start(Manner::Half), FakeMemcached::start(Manner::Open));
    let error = flush(&[&broken, &open], None).unwrap_err();
    assert!(error.contains("ended the connection") && !error.contains(&open.address()), "{error}");
    assert_eq!(open.flushed(), 1);
}

#[test]
fn nonsense_is_no_answer() {
    let huge = [&[0x81_u8, 0x08, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0x08][..], &[0; 8]].concat();
    let other = [&[0x81_u8, 0x07][..], &[0; 22]].concat();
    let refused = [&[0x81_u8, 0x08, 0, 0, 0, 0, 0, 0x84, 0, 0, 0, 0, 0, 0, 0, 0x08][..], &[0; 8]].concat();
    let text = b"ERROR\r\nERROR\r\nERROR\r\nERROR\r\n".to_vec();
    for (bytes, says) in [(text, "no way"), (huge, "no way"), (other, "no way"), (refused, "the status 0x84")] {
        let server = FakeMemcached::start(Manner::Says(bytes));
        let error = flush(&[&server], None).unwrap_err();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn nobody_is_waited_for_long() {
    let begun = Instant::now();
    for manner in [Manner::Silent, Manner::Slow(Duration::from_millis(400))] {
        let error = flush(&[&FakeMemcached::start(manner)], None).unwrap_err();
        assert!(error.contains("did not answer within 2 s"), "{error}");
    }
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    // A slow one that is done in time is none.
    flush(&[&FakeMemcached::start(Manner::Slow(Duration::from_millis(10)))], None).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = Memcached { addresses: vec![Address::Tcp("127.0.0.1".to_owned(), port)], login: None };
    assert!(nobody.flush().unwrap_err().contains("could not be reached"));
    let nowhere = Memcached { addresses: vec![Address::Unix("/nonexistent/socket".into())], login: None };
    assert!(nowhere.flush().unwrap_err().contains("/nonexistent/socket could not be reached"));
}
