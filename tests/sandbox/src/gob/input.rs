//! The primitives of a gob message: numbers, bytes, counts and the fields of a struct.

use super::Error;

/// The unread rest of one message.
pub struct Input<'a>(pub &'a [u8]);

impl Input<'_> {
    /// An unsigned number.
    pub fn uint(&mut self) -> Result<u64, Error> {
        let first = self.split(1)?[0];
        if first < 0x80 {
            return Ok(u64::from(first));
        }
        let count = usize::from(first.wrapping_neg());
        if count > 8 {
            return Err(Error::UnknownType);
        }
        Ok(self.split(count)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// A signed number.
    pub fn int(&mut self) -> Result<i64, Error> {
        let bits = self.uint()?;
        let half = (bits >> 1).cast_signed();
        Ok(if bits & 1 == 1 { !half } else { half })
    }

    /// The bytes of a string or a bytes value.
    pub fn bytes(&mut self) -> Result<&[u8], Error> {
        let length = usize::try_from(self.uint()?).map_err(|_| Error::Truncated)?;
        self.split(length)
    }

    /// A number of elements. No element is shorter than a byte, so a larger count cannot be true.
    pub fn count(&mut self) -> Result<usize, Error> {
        let count = usize::try_from(self.uint()?).map_err(|_| Error::Truncated)?;
        if count > self.0.len() { Err(Error::Truncated) } else { Ok(count) }
    }

    /// Calls `read` with the number of each field that is there, up to the closing zero.
    pub fn fields(
        &mut self,
        mut read: impl FnMut(usize, &mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut next = 0usize;
        loop {
            let delta = usize::try_from(self.uint()?).map_err(|_| Error::UnknownType)?;
            if delta == 0 {
                return Ok(());
            }
            let number = next.checked_add(delta - 1).ok_or(Error::UnknownType)?;
            read(number, self)?;
            next = number + 1;
        }
    }

    fn split(&mut self, length: usize) -> Result<&[u8], Error> {
        let (head, tail) = self.0.split_at_checked(length).ok_or(Error::Truncated)?;
        self.0 = tail;
        Ok(head)
    }

    /// An error unless everything was read.
    pub fn end(&self) -> Result<(), Error> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::Trailing) }
    }
}
