/// Recording replies to a file, and playing them back without a network.

#pragma once

#include <filesystem>
#include <memory>

#include <aiopt/chat_client.hpp>
#include <aiopt/result.hpp>

namespace aiopt {

/// Passes everything on to `inner` and appends each outcome to `file`, one JSON object a line: number, request digest,
/// reply or error. No header and no key is in it.
Result<std::unique_ptr<ChatClient>> make_recording_chat(std::unique_ptr<ChatClient> inner,
                                                        const std::filesystem::path& file);

/// Answers ChatRequest::number from such a file, errors too. A number that the file does not have is
/// Error::Code::not_found. `done` is called on the caller's thread, before send() returns.
Result<std::unique_ptr<ChatClient>> make_replaying_chat(const std::filesystem::path& file);

}  // namespace aiopt
