#include "storage/xrootd/status.h"

#include <XProtocol/XProtocol.hh>
#include <cmath>
#include <string>

#include "storage/fault.h"

namespace storage {
namespace {

Fault::Kind kind_of_answer(std::uint32_t code) {
  switch (code) {
    case kXR_NotFound:
      return Fault::Kind::kMissing;
    case kXR_isDirectory:
    case kXR_NotFile:
      return Fault::Kind::kWrongKind;
    case kXR_NotAuthorized:
    case kXR_AuthFailed:
      return Fault::Kind::kLogin;
    case kXR_NoSpace:
    case kXR_overQuota:
      return Fault::Kind::kFull;
    case kXR_ChkSumErr:
      return Fault::Kind::kDamaged;
    case kXR_FileLocked:
    case kXR_Overloaded:
    case kXR_ServerError:
    case kXR_noserver:
      return Fault::Kind::kUnreachable;
    default:
      return Fault::Kind::kRefused;
  }
}

Fault::Kind kind_of(const XrdCl::XRootDStatus& status) {
  switch (status.code) {
    case XrdCl::errErrorResponse:
      return kind_of_answer(status.errNo);
    case XrdCl::errNotFound:
      return Fault::Kind::kMissing;
    case XrdCl::errAuthFailed:
    case XrdCl::errLoginFailed:
      return Fault::Kind::kLogin;
    case XrdCl::errCheckSumError:
    case XrdCl::errDataError:
      return Fault::Kind::kUnreachable;  // on its way here
    case XrdCl::errInvalidArgs:
    case XrdCl::errInvalidOp:
    case XrdCl::errNotSupported:
    case XrdCl::errNotImplemented:
    case XrdCl::errQueryNotSupported:
    case XrdCl::errConfig:
    case XrdCl::errInvalidRedirectURL:
    case XrdCl::errRedirectLimit:
      return Fault::Kind::kRefused;
    default:
      return Fault::Kind::kUnreachable;
  }
}

}  // namespace

bool is_missing(const XrdCl::XRootDStatus& status) {
  return !status.IsOK() && kind_of(status) == Fault::Kind::kMissing;
}

void check(const XrdCl::XRootDStatus& status) {
  if (status.IsOK()) return;
  std::string reason = status.code == XrdCl::errErrorResponse ? status.GetErrorMessage() : status.ToString();
  for (char& c : reason)
    if (c == '\n') c = ' ';
  while (!reason.empty() && reason.back() == ' ') reason.pop_back();
  throw Fault(kind_of(status), reason);
}

std::uint16_t limit_s(const Settings& settings) {
  return static_cast<std::uint16_t>(std::ceil(settings.timeout_s));
}

}  // namespace storage
