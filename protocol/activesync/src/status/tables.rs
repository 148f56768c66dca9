//! The tables behind [`super`]: one line a status, constant, value, name and meaning ([MS-ASCMD] 2.2.2 and 2.2.3.177).

use super::statuses;

statuses! { common "common" {
    INVALID_CONTENT 101 "InvalidContent" "request body unusable: wrong Content-Type or length, or missing where required"
    INVALID_WBXML 102 "InvalidWBXML" "body is not decodable WBXML"
    INVALID_XML 103 "InvalidXML" "decoded tree breaks the schema or protocol rules"
    INVALID_DATE_TIME 104 "InvalidDateTime" "a timestamp cannot be parsed"
    INVALID_COMBINATION_OF_IDS 105 "InvalidCombinationOfIDs" "ids or parameters that do not go together"
    INVALID_IDS 106 "InvalidIDs" "an id has an impossible format (a well-formed id of a missing item is a different error)"
    INVALID_MIME 107 "InvalidMIME" "MIME in the request cannot be parsed"
    DEVICE_ID_MISSING_OR_INVALID 108 "DeviceIdMissingOrInvalid" "device id missing or malformed"
    DEVICE_TYPE_MISSING_OR_INVALID 109 "DeviceTypeMissingOrInvalid" "device type missing or malformed"
    SERVER_ERROR 110 "ServerError" "unknown server error; retrying will not help"
    SERVER_ERROR_RETRY_LATER 111 "ServerErrorRetryLater" "unknown server error; may pass"
    ACTIVE_DIRECTORY_ACCESS_DENIED 112 "ActiveDirectoryAccessDenied" "server may not read or write a directory object"
    MAILBOX_QUOTA_EXCEEDED 113 "MailboxQuotaExceeded" "mailbox is full"
    MAILBOX_SERVER_OFFLINE 114 "MailboxServerOffline" "mailbox back end is down"
    SEND_QUOTA_EXCEEDED 115 "SendQuotaExceeded" "message would exceed the send quota"
    MESSAGE_RECIPIENT_UNRESOLVED 116 "MessageRecipientUnresolved" "a recipient cannot be resolved"
    MESSAGE_REPLY_NOT_ALLOWED 117 "MessageReplyNotAllowed" "replying to this message is not allowed"
    MESSAGE_PREVIOUSLY_SENT 118 "MessagePreviouslySent" "ClientId was already used for a message sent recently"
    MESSAGE_HAS_NO_RECIPIENT 119 "MessageHasNoRecipient" "message without recipients"
    MAIL_SUBMISSION_FAILED 120 "MailSubmissionFailed" "hand-over to mail transport failed"
    MESSAGE_REPLY_FAILED 121 "MessageReplyFailed" "reply or forward could not be composed"
    ATTACHMENT_IS_TOO_LARGE 122 "AttachmentIsTooLarge" "attachment too large for this request"
    USER_HAS_NO_MAILBOX 123 "UserHasNoMailbox" "no mailbox for this user"
    USER_CANNOT_BE_ANONYMOUS 124 "UserCannotBeAnonymous" "no credentials"
    USER_PRINCIPAL_COULD_NOT_BE_FOUND 125 "UserPrincipalCouldNotBeFound" "user not in the directory"
    USER_DISABLED_FOR_SYNC 126 "UserDisabledForSync" "user may not use EAS"
    USER_ON_NEW_MAILBOX_CANNOT_SYNC 127 "UserOnNewMailboxCannotSync" "server configured not to sync this user"
    USER_ON_LEGACY_MAILBOX_CANNOT_SYNC 128 "UserOnLegacyMailboxCannotSync" "users on legacy servers may not sync"
    DEVICE_IS_BLOCKED_FOR_THIS_USER 129 "DeviceIsBlockedForThisUser" "this device is not on the user's allowed list"
    ACCESS_DENIED 130 "AccessDenied" "user may not perform this request"
    ACCOUNT_DISABLED 131 "AccountDisabled" "account is disabled"
    SYNC_STATE_NOT_FOUND 132 "SyncStateNotFound" "server state file for this client vanished, perhaps mid-request"
    SYNC_STATE_LOCKED 133 "SyncStateLocked" "state file locked, e.g. mailbox move"
    SYNC_STATE_CORRUPT 134 "SyncStateCorrupt" "state file corrupt"
    SYNC_STATE_ALREADY_EXISTS 135 "SyncStateAlreadyExists" "state file already exists, e.g. two first syncs in parallel"
    SYNC_STATE_VERSION_INVALID 136 "SyncStateVersionInvalid" "state file version unusable"
    COMMAND_NOT_SUPPORTED 137 "CommandNotSupported" "server does not know this command"
    VERSION_NOT_SUPPORTED 138 "VersionNotSupported" "command does not exist in the stated protocol version"
    DEVICE_NOT_FULLY_PROVISIONABLE 139 "DeviceNotFullyProvisionable" "the device's version cannot carry all policy settings"
    REMOTE_WIPE_REQUESTED 140 "RemoteWipeRequested" "a wipe is pending"
    LEGACY_DEVICE_ON_STRICT_POLICY 141 "LegacyDeviceOnStrictPolicy" "policy required but device sends no policy key"
    DEVICE_NOT_PROVISIONED 142 "DeviceNotProvisioned" "policy required, device not provisioned"
    POLICY_REFRESH 143 "PolicyRefresh" "policy must be fetched again"
    INVALID_POLICY_KEY 144 "InvalidPolicyKey" "policy key is stale or wrong"
    EXTERNALLY_MANAGED_DEVICES_NOT_ALLOWED 145 "ExternallyManagedDevicesNotAllowed" "device said a third party manages it; server does not accept that"
    NO_RECURRENCE_IN_CALENDAR 146 "NoRecurrenceInCalendar" "occurrence of a non-recurring item was addressed"
    UNEXPECTED_ITEM_CLASS 147 "UnexpectedItemClass" "item class unknown to the server"
    REMOTE_SERVER_HAS_NO_SSL 148 "RemoteServerHasNoSSL" "proxy target lacks TLS"
    INVALID_STORED_REQUEST 149 "InvalidStoredRequest" "empty request, but the stored request cannot be replayed"
    ITEM_NOT_FOUND 150 "ItemNotFound" "ItemId or InstanceId of SmartReply/SmartForward not found"
    TOO_MANY_FOLDERS 151 "TooManyFolders" "mailbox holds more folders than the server serves (default 1000)"
    NO_FOLDERS_FOUND 152 "NoFoldersFound" "mailbox has no folders"
    ITEMS_LOST_AFTER_MOVE 153 "ItemsLostAfterMove" "moved items could not be found again"
    FAILURE_IN_MOVE_OPERATION 154 "FailureInMoveOperation" "back end failed while moving"
    MOVE_COMMAND_DISALLOWED_FOR_NON_PERSISTENT_MOVE_ACTION 155 "MoveCommandDisallowedForNonPersistentMoveAction" "conversation move without MoveAlways"
    MOVE_COMMAND_INVALID_DESTINATION_FOLDER 156 "MoveCommandInvalidDestinationFolder" "destination of a conversation move is not allowed (must be a mail folder)"
    AVAILABILITY_TOO_MANY_RECIPIENTS 160 "AvailabilityTooManyRecipients" "too many recipients for free/busy (default 100)"
    AVAILABILITY_DL_LIMIT_REACHED 161 "AvailabilityDLLimitReached" "distribution list too large (over 20 members)"
    AVAILABILITY_TRANSIENT_FAILURE 162 "AvailabilityTransientFailure" "free/busy failed for now"
    AVAILABILITY_FAILURE 163 "AvailabilityFailure" "free/busy not available"
    BODY_PART_PREFERENCE_TYPE_NOT_SUPPORTED 164 "BodyPartPreferenceTypeNotSupported" "BodyPartPreference Type not supported (only 2)"
    DEVICE_INFORMATION_REQUIRED 165 "DeviceInformationRequired" "first Provision lacks DeviceInformation"
    INVALID_ACCOUNT_ID 166 "InvalidAccountId" "AccountId unknown"
    ACCOUNT_SEND_DISABLED 167 "AccountSendDisabled" "AccountId cannot send"
    IRM_FEATURE_DISABLED 168 "IRM_FeatureDisabled" "rights management is off"
    IRM_TRANSIENT_ERROR 169 "IRM_TransientError" "rights management failed for now"
    IRM_PERMANENT_ERROR 170 "IRM_PermanentError" "rights management failed"
    IRM_INVALID_TEMPLATE_ID 171 "IRM_InvalidTemplateID" "TemplateID unknown"
    IRM_OPERATION_NOT_PERMITTED 172 "IRM_OperationNotPermitted" "licence forbids this operation"
    NO_PICTURE 173 "NoPicture" "contact has no photo"
    PICTURE_TOO_LARGE 174 "PictureTooLarge" "photo exceeds MaxSize"
    PICTURE_LIMIT_REACHED 175 "PictureLimitReached" "MaxPictures used up"
    BODY_PART_CONVERSATION_TOO_LARGE 176 "BodyPart_ConversationTooLarge" "conversation too large to compute a body part"
    MAXIMUM_DEVICES_REACHED 177 "MaximumDevicesReached" "user has too many device partnerships"
    INVALID_MIME_BODY_COMBINATION 178 "InvalidMimeBodyCombination" "SmartForward mixes Forwardees/Body with Mime, SaveInSentItems, ReplaceMime or TemplateID"
    INVALID_SMART_FORWARD_PARAMETERS 179 "InvalidSmartForwardParameters" "Forwardees or Body of SmartForward unusable"
    INVALID_RECIPIENTS 183 "InvalidRecipients" "draft to be sent has no recipient or an invalid address"
    ONE_OR_MORE_EXCEPTIONS_FAILED 184 "OneOrMoreExceptionsFailed" "calendar series saved, some exceptions failed (item level)"
} }

statuses! { sync "Sync" {
    SUCCESS 1 "Success" "done"
    VERSION_MISMATCH 2 "VersionMismatch" "legacy value, not in the current text"
    INVALID_SYNC_KEY 3 "InvalidSyncKey" "key malformed, unknown or older than the last two; or state lost"
    PROTOCOL_ERROR 4 "ProtocolError" "request breaks the rules (order, duplicate options, both Wait and HeartbeatInterval, GetChanges true with key 0, over 200 operations)"
    SERVER_ERROR 5 "ServerError" "temporary problem or bad item"
    CONVERSION_ERROR 6 "ConversionError" "item sent by the client is invalid or read-only properties were changed"
    CONFLICT 7 "Conflict" "server copy wins (Conflict=1)"
    OBJECT_NOT_FOUND 8 "ObjectNotFound" "Change or Fetch names an item that is gone"
    OUT_OF_SPACE 9 "OutOfSpace" "mailbox probably full"
    NOTIFY_GUID_ERROR 10 "NotifyGuidError" "legacy value, not in the current text"
    NOT_PROVISIONED_FOR_NOTIFY 11 "NotProvisionedForNotify" "legacy value, not in the current text"
    FOLDER_HIERARCHY_CHANGED 12 "FolderHierarchyChanged" "collection no longer exists as known"
    INCOMPLETE_REQUEST 13 "IncompleteRequest" "empty or Partial request, but nothing is cached"
    INVALID_WAIT_OR_HEARTBEAT 14 "InvalidWaitOrHeartbeat" "Wait or HeartbeatInterval out of range; Limit gives the nearest bound"
    TOO_MANY_COLLECTIONS 15 "TooManyCollections" "too many collections; Limit gives the maximum"
    RETRY 16 "Retry" "retriable server error"
} }

statuses! { folder_sync "FolderSync" {
    SUCCESS 1 "Success" "done"
    SERVER_ERROR 6 "ServerError" "temporary"
    ACCESS_DENIED 7 "AccessDenied" "legacy value, not in the current text"
    TIMED_OUT 8 "TimedOut" "legacy value, not in the current text"
    INVALID_SYNC_KEY 9 "InvalidSyncKey" "key malformed, unknown or state lost"
    MALFORMED_REQUEST 10 "MalformedRequest" "semantic or syntax error"
    UNKNOWN_ERROR 11 "UnknownError" "temporary or misconfiguration"
    CODE_UNKNOWN 12 "CodeUnknown" "unusual back-end issue"
} }

statuses! { search_store "Search" {
    SUCCESS 1 "Success" "done"
    INVALID_REQUEST 2 "InvalidRequest" "a search parameter is invalid (e.g. Email class elements in the request)"
    SERVER_ERROR 3 "ServerError" "temporary"
    BAD_LINK 4 "BadLink" "bad link"
    ACCESS_DENIED 5 "AccessDenied" "access denied"
    NOT_FOUND 6 "NotFound" "resource not found"
    CONNECT_FAILED 7 "ConnectFailed" "resource not reachable"
    TOO_COMPLEX 8 "TooComplex" "query too complex or element outside And"
    INDEX_NOT_LOADED 9 "IndexNotLoaded" "legacy value, not in the current text"
    TIMED_OUT 10 "TimedOut" "timed out"
    FOLDER_SYNC_REQUIRED 11 "FolderSyncRequired" "hierarchy out of date"
    END_OF_RANGE 12 "EndOfRange" "range past the retrievable results"
    ACCESS_BLOCKED 13 "AccessBlocked" "resource blocked"
    CREDENTIALS_REQUIRED 14 "CredentialsRequired" "credentials needed"
} }

statuses! { folder_create "FolderCreate" {
    SUCCESS 1 "Success" "done"
    NAME_EXISTS 2 "NameExists" "parent has a child with this name"
    SPECIAL_PARENT 3 "SpecialParent" "parent is the recipient information cache"
    PARENT_NOT_FOUND 5 "ParentNotFound" "parent is gone"
    SERVER_ERROR 6 "ServerError" "temporary"
    INVALID_SYNC_KEY 9 "InvalidSyncKey" "key does not match"
    MALFORMED_REQUEST 10 "MalformedRequest" "semantic error or creating a default folder type"
    UNKNOWN_ERROR 11 "UnknownError" "unknown"
    CODE_UNKNOWN 12 "CodeUnknown" "unusual back-end issue"
} }

statuses! { folder_delete "FolderDelete" {
    SUCCESS 1 "Success" "done"
    SPECIAL_FOLDER 3 "SpecialFolder" "default folders and the recipient cache cannot be deleted"
    NOT_FOUND 4 "NotFound" "folder does not exist"
    SERVER_ERROR 6 "ServerError" "temporary"
    INVALID_SYNC_KEY 9 "InvalidSyncKey" "key does not match"
    MALFORMED_REQUEST 10 "MalformedRequest" "semantic or syntax error"
    UNKNOWN_ERROR 11 "UnknownError" "unusual back-end issue"
} }

statuses! { folder_update "FolderUpdate" {
    SUCCESS 1 "Success" "done"
    NAME_EXISTS_OR_SPECIAL 2 "NameExistsOrSpecial" "name taken, or a default folder"
    RECIPIENT_CACHE 3 "RecipientCache" "recipient information cache cannot be changed"
    NOT_FOUND 4 "NotFound" "folder does not exist"
    PARENT_NOT_FOUND 5 "ParentNotFound" "new parent does not exist"
    SERVER_ERROR 6 "ServerError" "temporary"
    INVALID_SYNC_KEY 9 "InvalidSyncKey" "key does not match"
    MALFORMED_REQUEST 10 "MalformedRequest" "missing SyncKey, Status in the request, or other error"
    UNKNOWN_ERROR 11 "UnknownError" "unusual back-end issue"
} }

statuses! { get_item_estimate "GetItemEstimate" {
    SUCCESS 1 "Success" "done"
    INVALID_COLLECTION 2 "InvalidCollection" "collection unknown, or MaxItems outside the recipient cache"
    NOT_PRIMED 3 "NotPrimed" "no Sync with key 0 yet"
    INVALID_SYNC_KEY 4 "InvalidSyncKey" "key does not match"
} }

statuses! { item_operations "ItemOperations" {
    SUCCESS 1 "Success" "done"
    PROTOCOL_ERROR 2 "ProtocolError" "schema violation, option not valid here, two FileReference in one Fetch"
    SERVER_ERROR 3 "ServerError" "server error"
    BAD_URI 4 "BadUri" "document library: bad URI"
    ACCESS_DENIED 5 "AccessDenied" "document library: access denied"
    NOT_FOUND 6 "NotFound" "object or conversation not found, or no access"
    CONNECT_FAILED 7 "ConnectFailed" "document library: server not reachable"
    BAD_RANGE 8 "BadRange" "byte range invalid or too large"
    UNKNOWN_STORE 9 "UnknownStore" "Store unknown or unsupported"
    EMPTY_FILE 10 "EmptyFile" "file is empty"
    TOO_LARGE 11 "TooLarge" "data too large, or too many operations in one request"
    IO_FAILURE 12 "IoFailure" "download failed"
    CONVERSION_FAILED 14 "ConversionFailed" "item cannot be converted"
    INVALID_ATTACHMENT 15 "InvalidAttachment" "FileReference unknown or empty"
    RESOURCE_DENIED 16 "ResourceDenied" "access to the resource denied"
    PARTIAL_SUCCESS 17 "PartialSuccess" "operation done in part"
    CREDENTIALS_REQUIRED 18 "CredentialsRequired" "credentials needed"
    INVALID_COMBINATION_OF_IDS 105 "InvalidCombinationOfIDs" "destination is the recipient information cache"
    MOVE_ALWAYS_MISSING 155 "MoveAlwaysMissing" "Options/MoveAlways missing"
    DESTINATION_NOT_MAIL 156 "DestinationNotMail" "destination must be a mail folder (IPF.Note)"
} }

statuses! { meeting_response "MeetingResponse" {
    SUCCESS 1 "Success" "done"
    INVALID_REQUEST 2 "InvalidRequest" "not a meeting request, user is the organizer, or bad InstanceId"
    MAILBOX_ERROR 3 "MailboxError" "temporary"
    SERVER_ERROR 4 "ServerError" "temporary"
    INVALID_DATE_TIME 104 "InvalidDateTime" "InstanceId not a dateTime"
    NO_RECURRENCE_IN_CALENDAR 146 "NoRecurrenceInCalendar" "InstanceId on a single meeting"
} }

statuses! { move_items "MoveItems" {
    INVALID_SOURCE 1 "InvalidSource" "source folder or item unknown (item may have moved)"
    INVALID_DESTINATION 2 "InvalidDestination" "destination folder unknown"
    SUCCESS 3 "Success" "done (3, not 1)"
    SAME_FOLDER 4 "SameFolder" "source equals destination"
    MOVE_FAILED 5 "MoveFailed" "more than one DstFldId, or item locked"
    LOCKED 7 "Locked" "source or destination locked"
} }

statuses! { ping "Ping" {
    NO_CHANGES 1 "NoChanges" "heartbeat ran out without changes"
    CHANGES 2 "Changes" "folders listed have changes"
    MISSING_PARAMETERS 3 "MissingParameters" "nothing cached for the omitted HeartbeatInterval or Folders"
    SYNTAX_ERROR 4 "SyntaxError" "bad body, duplicate folder id"
    BAD_INTERVAL 5 "BadInterval" "interval out of range; HeartbeatInterval gives the nearest bound"
    TOO_MANY_FOLDERS 6 "TooManyFolders" "MaxFolders gives the limit"
    FOLDER_SYNC_REQUIRED 7 "FolderSyncRequired" "hierarchy changed"
    SERVER_ERROR 8 "ServerError" "temporary"
} }

statuses! { provision "Provision" {
    SUCCESS 1 "Success" "done"
    PROTOCOL_ERROR 2 "ProtocolError" "bad request (e.g. PolicyType missing)"
    SERVER_ERROR 3 "ServerError" "temporary"
    DEVICE_NOT_FULLY_PROVISIONABLE 139 "DeviceNotFullyProvisionable" "client acknowledged with 2 (partial) and the server insists on full"
    NOT_PROVISIONABLE 141 "NotProvisionable" "no policy key sent"
    EXTERNALLY_MANAGED 145 "ExternallyManaged" "client acknowledged with 4 and the server refuses"
    DEVICE_INFORMATION_REQUIRED 165 "DeviceInformationRequired" "DeviceInformation missing in the first request"
} }

statuses! { policy "Provision" {
    SUCCESS 1 "Success" "policy data included / acknowledgement recorded"
    NO_POLICY 2 "NoPolicy" "no policy of this type for this client"
    UNKNOWN_POLICY_TYPE 3 "UnknownPolicyType" "PolicyType not known"
    POLICY_CORRUPT 4 "PolicyCorrupt" "policy data damaged"
    POLICY_KEY_MISMATCH 5 "PolicyKeyMismatch" "acknowledged key is not the issued one"
} }

statuses! { policy_applied "Provision" {
    APPLIED 1 "Applied" "client applied the policy"
    PARTIAL 2 "Partial" "at least the PIN was enabled"
    NOT_APPLIED 3 "NotApplied" "client did not apply the policy"
    EXTERNAL 4 "External" "a third party manages the device"
} }

statuses! { remote_wipe "Provision" {
    WIPE_OK 1 "WipeOk" "wipe carried out or begun"
    WIPE_FAILED 2 "WipeFailed" "wipe failed"
} }

statuses! { resolve_recipients "ResolveRecipients" {
    SUCCESS 1 "Success" "done"
    PROTOCOL_ERROR 5 "ProtocolError" "invalid parameter or limit exceeded"
    SERVER_ERROR 6 "ServerError" "error"
} }

statuses! { resolved_recipient "ResolveRecipients" {
    RESOLVED 1 "Resolved" "recipient resolved"
    AMBIGUOUS 2 "Ambiguous" "several candidates, all listed"
    AMBIGUOUS_PARTIAL 3 "AmbiguousPartial" "several candidates, list cut; RecipientCount has the total"
    NOT_FOUND 4 "NotFound" "no match"
} }

statuses! { recipient_certificates "ResolveRecipients" {
    SUCCESS 1 "Success" "certificates returned"
    NO_CERTIFICATE 7 "NoCertificate" "no valid S/MIME certificate"
    LIMIT_REACHED 8 "LimitReached" "MaxCertificates reached; CertificateCount tells how many were left out"
} }

statuses! { availability "ResolveRecipients" {
    SUCCESS 1 "Success" "free/busy returned"
    TOO_MANY_RECIPIENTS 160 "TooManyRecipients" "limit of recipients"
    LIST_TOO_LARGE 161 "ListTooLarge" "distribution list over 20 members"
    TRANSIENT 162 "Transient" "temporary"
    FAILURE 163 "Failure" "not permitted or not available"
} }

statuses! { picture "ResolveRecipients" {
    SUCCESS 1 "Success" "photo returned"
    NO_PICTURE 173 "NoPicture" "no photo"
    PICTURE_TOO_LARGE 174 "PictureTooLarge" "over MaxSize"
    PICTURE_LIMIT_REACHED 175 "PictureLimitReached" "over MaxPictures"
} }

statuses! { search "Search" {
    SUCCESS 1 "Success" "processed"
    SERVER_ERROR 3 "ServerError" "server error"
} }

statuses! { find "Find" {
    SUCCESS 1 "Success" "done"
    INVALID_REQUEST 2 "InvalidRequest" "a search parameter is invalid"
    FOLDER_SYNC_REQUIRED 3 "FolderSyncRequired" "hierarchy out of date"
    START_WITH_RANGE_ZERO 4 "StartWithRangeZero" "first range does not begin at 0"
} }

statuses! { settings "Settings" {
    SUCCESS 1 "Success" "done"
    PROTOCOL_ERROR 2 "ProtocolError" "request malformed; no property answers follow"
    ACCESS_DENIED 3 "AccessDenied" "not allowed"
    SERVER_UNAVAILABLE 4 "ServerUnavailable" "down"
    INVALID_ARGUMENTS 5 "InvalidArguments" "bad values"
    CONFLICTING_ARGUMENTS 6 "ConflictingArguments" "values exclude each other"
    DENIED_BY_POLICY 7 "DeniedByPolicy" "policy forbids it"
} }

statuses! { settings_property "Settings" {
    SUCCESS 1 "Success" "done"
    PROTOCOL_ERROR 2 "ProtocolError" "property malformed (e.g. OOF StartTime without EndTime)"
    INVALID_ARGUMENTS 5 "InvalidArguments" "bad values"
    CONFLICTING_ARGUMENTS 6 "ConflictingArguments" "values exclude each other"
} }

statuses! { device_password "Settings" {
    SUCCESS 1 "Success" "stored"
    PROTOCOL_ERROR 2 "ProtocolError" "malformed"
    PASSWORD_TOO_LONG 5 "PasswordTooLong" "over 255 characters"
    RECOVERY_DISABLED 7 "RecoveryDisabled" "administrator switched recovery off"
} }

statuses! { certificate "ValidateCert" {
    SUCCESS 1 "Success" "valid"
    PROTOCOL_ERROR 2 "ProtocolError" "parameters invalid or over 100 certificates"
    INVALID_SIGNATURE 3 "InvalidSignature" "signature invalid"
    UNTRUSTED_SOURCE 4 "UntrustedSource" "issuer not trusted"
    INVALID_CHAIN 5 "InvalidChain" "chain built wrongly"
    NOT_FOR_SIGNING 6 "NotForSigning" "not for signing mail"
    EXPIRED_OR_NOT_YET_VALID 7 "ExpiredOrNotYetValid" "outside its validity time"
    INCONSISTENT_TIMES 8 "InconsistentTimes" "validity times in the chain do not match"
    USED_INCORRECTLY 9 "UsedIncorrectly" "chain certificate used wrongly"
    INFO_MISSING 10 "InfoMissing" "certificate data missing or wrong"
    CA_ROLE_WRONG 11 "CaRoleWrong" "end-entity used as CA or the reverse"
    ADDRESS_MISMATCH 12 "AddressMismatch" "does not match the mail address"
    REVOKED 13 "Revoked" "revoked"
    REVOCATION_SERVER_OFFLINE 14 "RevocationServerOffline" "revocation state unknown, server offline"
    CHAIN_REVOKED 15 "ChainRevoked" "chain certificate revoked"
    REVOCATION_UNKNOWN 16 "RevocationUnknown" "revocation state cannot be determined"
    SERVER_ERROR 17 "ServerError" "unknown server error"
} }

statuses! { validate_cert "ValidateCert" {
    SUCCESS 1 "Success" "done"
    FAILURE 17 "Failure" "failed"
} }

statuses! { body_part "BodyPart" {
    SUCCESS 1 "Success" "part returned"
    TOO_LARGE 176 "TooLarge" "part could not be computed"
} }
