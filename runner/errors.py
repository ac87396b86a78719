"""Define every error that `runner` raises on purpose.

RunnerError                       what happened, what is safe, what to type next
├── ConfigError                   refused before anything was sent                        exit 2
│   └── SecretError               a key stood in the config or on the command line
├── BudgetError                   a request was not sent, as it would pass the budget     exit 3
├── ProviderError                 the endpoint refused or could not be reached            exit 1
│   ├── AuthenticationError       401, 403: the key is missing, wrong or not allowed      stops the sweep
│   ├── ModelNotFoundError        404: no such model or deployment                        stops the sweep
│   ├── QuotaError                the account's money or quota is gone                    stops the sweep
│   ├── ContentModerationError    the prompt or the result was filtered
│   ├── BadRequestError           any other 4xx
│   ├── RateLimitError            429: not created; retryable
│   ├── ServerError               5xx; retryable where nothing is paid twice
│   ├── JobNotFoundError          404, 410: a job or its file is not found just now           exit 4
│   ├── HTTPConnectionError       provably not sent (DNS, connection refused); retryable
│   └── UnexpectedAnswerError     the answer is not the API's (HTML, a proxy's page)
├── UncertainError                a paid request was sent and its answer lost             exit 4
├── GenerationFailedError         the provider's job ended in `failed`                    exit 1
├── JobTimeoutError               the deadline passed; the job goes on at the provider    exit 4
├── ExpiredError                  the provider no longer keeps the file                   exit 1
├── ArtifactError                 a download that stayed incomplete or does not decode    exit 4
│   └── IncompleteAnswerError     some files of a paid answer are here, the others lost   exit 1
└── DiskError                     the output directory cannot be written                  exit 5
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "ArtifactError",
    "AuthenticationError",
    "BadRequestError",
    "BudgetError",
    "ConfigError",
    "ContentModerationError",
    "DiskError",
    "ExpiredError",
    "GenerationFailedError",
    "HTTPConnectionError",
    "IncompleteAnswerError",
    "JobNotFoundError",
    "JobTimeoutError",
    "ModelNotFoundError",
    "ProviderError",
    "QuotaError",
    "RateLimitError",
    "RunnerError",
    "SecretError",
    "ServerError",
    "UncertainError",
    "UnexpectedAnswerError",
]

INTERRUPTED = 130
"""The exit code after Ctrl-C; the whole table is in docs/errors.md."""


class RunnerError(Exception):
    """Base all errors on one class; `str(error)` is the message, `hint` says what to type next."""

    exit_code: ClassVar[int] = 1
    """What the process ends with when this error ends it."""

    retryable: bool = False
    """Whether doing the same again may succeed and pays nothing twice; a kind's own, unless one error differs."""

    shared: bool | None = False
    """Whether every other run on the same endpoint would meet it too; None where only their fate can tell."""

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        code: str | None = None,
        provider: str | None = None,
        model: str | None = None,
        job_id: str | None = None,
        request_id: str | None = None,
        raw_response: Any = None,  # Any: whatever JSON the server answered
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code
        self.provider = provider
        self.model = model
        self.job_id = job_id
        self.request_id = request_id
        self.raw_response = raw_response

    def reword(self, message: str) -> None:
        """Take another message, as more is known."""
        self.message = message
        self.args = (message,)

    def __reduce__(self) -> tuple[object, ...]:
        # Launchers that start processes send errors home; keyword arguments would not survive BaseException's way.
        return _rebuilt, (type(self), self.args, self.__dict__)


def _rebuilt(kind: type[RunnerError], args: tuple[object, ...], state: dict[str, object]) -> RunnerError:
    error = kind.__new__(kind)
    error.args = args  # OSError, below JobTimeoutError, would take them only through its own __init__
    error.__dict__.update(state)
    return error


class ConfigError(RunnerError):
    """Tell that the config, an override or the environment is not usable; nothing was sent."""

    exit_code = 2


class SecretError(ConfigError):
    """Tell that a credential stands where it would be written to disk."""


class BudgetError(RunnerError):
    """Tell that a paid request would pass the budget's limit that `code` names, and was not sent."""

    exit_code = 3


class ProviderError(RunnerError):
    """Tell that the endpoint answered with an error or could not be reached."""

    def __init__(
        self, message: str, *, status_code: int | None = None, unsure: bool = False, **details: Any
    ) -> None:  # Any: passed through
        """Take an error's details; `unsure` leaves open whether it is `shared`."""
        super().__init__(message, **details)
        self.status_code = status_code
        if unsure:
            self.shared = None


class AuthenticationError(ProviderError):
    """Raised on 401 or 403: the credential is missing, wrong, or may not do this."""

    shared = True


class ModelNotFoundError(ProviderError):
    """Raised on 404: the endpoint has no model, or the resource no deployment, of that name."""

    shared = True


class QuotaError(ProviderError):
    """Tell that the account's quota or balance is used up."""

    shared = True


class ContentModerationError(ProviderError):
    """Tell that the provider's filter refused the prompt or the result."""


class BadRequestError(ProviderError):
    """Tell that the provider refused the request as malformed or unsupported."""


class RateLimitError(ProviderError):
    """Raised on 429: nothing was created.

    Attributes:
        retry_after: seconds to wait, when the server said so.
        exhausted: whether it said that too much was asked for in a time.
        crowded: whether it said that too much is running at once.
    """

    retryable = True

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        exhausted: bool = False,
        crowded: bool = False,
        **details: Any,  # Any: passed through
    ) -> None:
        super().__init__(message, **details)
        self.retry_after = retry_after
        self.exhausted = exhausted
        self.crowded = crowded


class ServerError(ProviderError):
    """Raised on 5xx; whether it may be repeated depends on what was asked."""

    retryable = True


class JobNotFoundError(ProviderError):
    """Raised on 404 or 410 about a job or file that was there: it may be there again later, or with another key.

    Attributes:
        server_time: Unix seconds by the server's clock when it answered; None if it did not say.
    """

    exit_code = 4
    retryable = True

    def __init__(
        self, message: str, *, server_time: float | None = None, **details: Any
    ) -> None:  # Any: passed through
        super().__init__(message, **details)
        self.server_time = server_time


class HTTPConnectionError(ProviderError):
    """Tell that the connection could not be made, so the request was provably not sent."""

    retryable = True


class UnexpectedAnswerError(ProviderError):
    """Tell that the answer is not the API's, as from a proxy, a login page or a wrong path."""


class UncertainError(RunnerError):
    """Tell that a paid request left and no answer that can be used came: the provider may have created the job.

    Attributes:
        answer: what came instead, without secrets, until it is kept on disk.
    """

    exit_code = 4

    def __init__(self, message: str, *, answer: bytes | None = None, **details: Any) -> None:  # Any: passed through
        super().__init__(message, **details)
        self.answer = answer


class GenerationFailedError(RunnerError):
    """Tell that the provider's job ended as failed; `code` and `message` are the provider's."""

    retryable = True


class JobTimeoutError(RunnerError, TimeoutError):
    """Tell that the deadline passed while the job was still running at the provider.

    Attributes:
        attempts: how often the job was asked for.
        seconds: how long was waited; `timeout_seconds` is the same.
    """

    exit_code = 4
    retryable = True

    def __init__(
        self,
        message: str,
        *,
        attempts: int = 0,
        seconds: float = 0.0,
        timeout_seconds: float | None = None,
        **details: Any,  # Any: passed through
    ) -> None:
        super().__init__(message, **details)
        self.attempts = attempts
        self.seconds = seconds if timeout_seconds is None else timeout_seconds

    @property
    def timeout_seconds(self) -> float:
        """Return how long was waited."""
        return self.seconds


class ExpiredError(RunnerError):
    """Tell that the job was paid, and the provider says that it no longer keeps it or its file."""


TOO_LARGE = "too_large"
"""The `code` for a file beyond what anything generates: asking for it again is of no use."""


class ArtifactError(RunnerError):
    """Tell that a downloaded file stayed incomplete or does not decode."""

    exit_code = 4
    retryable = True


class IncompleteAnswerError(ArtifactError):
    """Raised when only some files of a paid answer are here; doing it again would pay for all of them."""

    exit_code = 1
    retryable = False


class DiskError(RunnerError):
    """Tell that the output directory cannot be written or is full; remote jobs are kept."""

    exit_code = 5
