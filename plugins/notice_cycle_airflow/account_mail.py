"""The mail that tells the operator of an account closed by the lock-out; unlike others it must go out, or be tried again."""

from notice_cycle.accounts import AccountClosed
from notice_cycle.alerts import Post
from notice_cycle.errors import CannotLook
from notice_cycle.forms import tokyo
from notice_cycle.people import People
from notice_cycle.settings import Settings
from notice_cycle_airflow.notifiers.ward_mail import deliver


def tell_closed(closed: AccountClosed, settings: Settings) -> None:
    """Mails the operator. Raises CannotLook when the mail server does not take it."""
    people = People.load(settings.config_folder)
    facts = {
        "login": closed.login,
        "failures": str(closed.failures),
        "closed_at": tokyo(closed.closed_at),
        "link": f"{settings.base_url}/auth/users/list/",
    }
    thread = f"account-{closed.login}" if closed.login.isascii() and closed.login.isalnum() else "account"
    mail = Post.of(settings, people).mail("account_closed", people.address("operator"), facts, thread=thread)
    try:
        deliver(mail)
    except OSError as away:  # smtplib's errors are OSErrors too
        raise CannotLook(
            f"メールサーバーに渡せません（{type(away).__name__}）。",
            advice="自動で再試行します。続くときは、メールサーバーの稼働と接続 smtp_default を確かめてください。",
        ) from None
