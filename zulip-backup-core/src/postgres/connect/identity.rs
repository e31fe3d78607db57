//! Being somebody else for the length of one thread.

use rustix::process::{Gid, Uid};

use crate::process::SystemUser;
use crate::{Error, ErrorKind, Result};

/// Makes the calling thread, and no other, act as `user` for good.
///
/// Peer authentication asks the kernel who connected the socket, so the identity is needed only while connecting. Real
/// and saved ids change with the effective one: the thread cannot come back, and needs not.
pub(super) fn assume(user: Option<&SystemUser>) -> Result<()> {
    let Some(user) = user else { return Ok(()) };
    let denied = |error: rustix::io::Errno| {
        Error::new(ErrorKind::Refused, format!("cannot act as the system user {}", user.name))
            .with_source(std::io::Error::from(error))
            .with_hint(format!("run as root or as {}", user.name))
    };
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    // The group first: without root's uid it could not be changed any more.
    rustix::thread::set_thread_groups(&[gid]).map_err(denied)?;
    rustix::thread::set_thread_res_gid(gid, gid, gid).map_err(denied)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid).map_err(denied)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::current_uid;

    #[test]
    fn only_the_one_thread_is_somebody_else() {
        let before = current_uid();
        let user = SystemUser { name: "somebody".into(), uid: 54321, gid: 54321, home: "/".into() };
        let inside = std::thread::spawn(move || assume(Some(&user)).map(|()| current_uid())).join().unwrap();
        if before == 0 {
            assert_eq!(inside.unwrap(), 54321);
        } else {
            assert_eq!(inside.unwrap_err().kind(), ErrorKind::Refused);
        }
        assert_eq!(current_uid(), before);
    }
}
