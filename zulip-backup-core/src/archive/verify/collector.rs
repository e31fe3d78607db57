//! Findings from many threads, put back into the order of the archive.

use std::sync::Mutex;

use crate::{Finding, Findings, Progress};

/// Where findings about the whole archive stand: behind those about its members.
pub(super) const AT_THE_END: u64 = u64::MAX;

/// Takes findings in from any thread. Two runs over one archive give one list, whatever the threads did.
pub(super) struct Collector<'a> {
    progress: &'a dyn Progress,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    list: Vec<(u64, Finding)>,
    /// How many there are of each code, and of these how many are in the list; a handful of codes.
    all: Findings,
}

impl<'a> Collector<'a> {
    pub(super) fn new(progress: &'a dyn Progress) -> Self {
        Self { progress, inner: Mutex::default() }
    }

    /// Takes a finding in that belongs at `place`.
    pub(super) fn push(&self, place: u64, finding: Finding) {
        self.progress.finding(&finding);
        let Ok(mut inner) = self.inner.lock() else { return };
        let listed = inner.all.list.len();
        inner.all.push(finding.clone());
        // `all` keeps a finding only while its code is below the limit: the list here stays as small.
        if inner.all.list.len() > listed {
            inner.list.push((place, finding));
        }
    }

    /// The findings in the order of the archive.
    pub(super) fn finish(self) -> Findings {
        let Ok(inner) = self.inner.into_inner() else { return Findings::default() };
        let Inner { mut list, all } = inner;
        list.sort_by_key(|(place, _)| *place);
        let mut findings = Findings::default();
        for (_, finding) in list {
            findings.push(finding);
        }
        for total in &all.counts {
            if let Some(count) =
                findings.counts.iter_mut().find(|count| count.code == total.code && count.severity == total.severity)
            {
                count.count = total.count;
            }
        }
        findings
    }
}
