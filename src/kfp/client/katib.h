#pragma once

#include <map>
#include <string>

#include "kfp/client/http.h"

namespace kfp::client {

/// Reports numbers of a trial to Katib's database (ReportObservationLog), which its collector "Push" expects
/// of a trial. Source: kubeflow/katib, pkg/apis/manager/v1beta1/api.proto.
/// @param address of Katib's DB manager: "katib-db-manager.kubeflow:6789"
/// @param trial   name of the Katib trial, which its pod has in KATIB_TRIAL_NAME
/// @throws Unreachable, core::UnavailableError (libcurl without HTTP/2; the DB manager refuses them)
void report_to_katib(const std::string& address, const std::string& trial,
                     const std::map<std::string, double>& numbers, Retries retries = {.attempts = 8});

/// The time now as Katib reads it: "2026-11-28T09:30:00.123456Z".
std::string katib_time();

}  // namespace kfp::client
