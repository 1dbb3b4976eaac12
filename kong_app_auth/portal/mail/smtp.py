"""Mails over SMTP (RFC 5321), in the clear, with STARTTLS (RFC 3207) or over TLS from the start (RFC 8314)."""

import smtplib
import ssl
from contextlib import suppress
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from types import TracebackType

import msgspec

from kong_app_auth.portal.configuration import SmtpServer
from kong_app_auth.portal.plane import utc_now


class NotDelivered(Exception):  # noqa: N818
    """The server did not take a mail. `permanent`: it never will; `away`: there is no getting through to it at all.

    The text holds no address and no word of the mail.
    """

    def __init__(self, reason: str, *, permanent: bool = False, away: bool = False) -> None:
        super().__init__(reason)
        self.permanent = permanent
        self.away = away


class Mail(msgspec.Struct, frozen=True):
    """A mail to one recipient. The id is in its Message-ID: sent twice, it can be known for the same."""

    id: str
    sender: str
    recipient: str
    subject: str
    text: str
    html: str

    def __repr__(self) -> str:
        """Leave the bodies out: they may hold one-time links."""
        return f"Mail({self.id})"


def compose(mail: Mail) -> EmailMessage:
    """Write a mail as it goes over the wire. Raises ValueError for a line break where a header is."""
    message = EmailMessage(policy=SMTP)
    sender = _address(mail.sender)
    message["From"] = sender
    message["To"] = _address(mail.recipient)
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(utc_now())
    message["Message-ID"] = f"<{mail.id}@{sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers, please
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    return message


def _address(text: str) -> Address:
    if not text.isascii() or not text.isprintable():
        raise ValueError("an address of mail has printable ASCII characters only")
    return Address(addr_spec=text)


class SmtpConnection:
    """A connection that is made when the first mail is sent, and again after a failure. Use it as a context."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server
        self._connected: smtplib.SMTP | None = None

    def __enter__(self) -> "SmtpConnection":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connected is not None:
            with suppress(smtplib.SMTPException, OSError):
                self._connected.quit()
            self._drop()

    def send(self, mail: Mail) -> None:
        """Hand a mail to the server. Raises NotDelivered."""
        try:
            message = compose(mail)
        except (ValueError, TypeError, AttributeError, IndexError) as error:
            # The email package raises all of these for addresses that it cannot read.
            raise NotDelivered(f"cannot be written: {type(error).__name__}", permanent=True) from None
        try:
            if self._connected is None:
                self._connected = self._connect()
            self._connected.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            self._after_refusal()
            permanent = bool(codes) and all(code >= 500 for code in codes)
            raise NotDelivered(f"recipient refused: {codes}", permanent=permanent) from None
        except smtplib.SMTPDataError as error:
            self._after_refusal()
            raise NotDelivered(f"mail refused: {error.smtp_code}", permanent=error.smtp_code >= 500) from None
        except smtplib.SMTPResponseException as error:
            # Of the sender or the login: the settings' fault, which an operator can mend in time.
            self._drop()
            raise NotDelivered(f"{type(error).__name__}: {error.smtp_code}", away=True) from None
        except (smtplib.SMTPException, OSError) as error:
            self._drop()
            raise NotDelivered(type(error).__name__, away=True) from None

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        trust = ssl.create_default_context(cafile=server.ca_file)
        if server.security == "tls":
            connection: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=server.timeout, context=trust)
        elif server.security in ("starttls", "none"):
            connection = smtplib.SMTP(server.host, server.port, timeout=server.timeout)
        else:
            raise ValueError("the security of an SMTP server is none, starttls or tls")
        try:
            if server.security == "starttls":
                connection.starttls(context=trust)  # raises where the server has none: never in the clear instead
            if server.username is not None:
                connection.login(server.username, server.password or "")
        except BaseException:
            connection.close()
            raise
        return connection

    def _after_refusal(self) -> None:
        """A server may have hung up after a refusal: the next mail has a connection of its own then."""
        if self._connected is not None:
            try:
                self._connected.rset()
            except (smtplib.SMTPException, OSError):
                self._drop()

    def _drop(self) -> None:
        if self._connected is not None:
            self._connected.close()
            self._connected = None
