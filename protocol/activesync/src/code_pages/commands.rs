//! Code pages whose tags shape commands: requests and responses.
//!
//! One line a tag: constant, token, name on the wire, protocol versions that use it ([MS-ASWBXML] 2.1.2.1).

use super::page;

page! { air_sync 0 "AirSync" {
    SYNC 0x05 "Sync" ALL
    RESPONSES 0x06 "Responses" ALL
    ADD 0x07 "Add" ALL
    CHANGE 0x08 "Change" ALL
    DELETE 0x09 "Delete" ALL
    FETCH 0x0A "Fetch" ALL
    SYNC_KEY 0x0B "SyncKey" ALL
    CLIENT_ID 0x0C "ClientId" ALL
    SERVER_ID 0x0D "ServerId" ALL
    STATUS 0x0E "Status" ALL
    COLLECTION 0x0F "Collection" ALL
    CLASS 0x10 "Class" ALL
    VERSION 0x11 "Version" NONE
    COLLECTION_ID 0x12 "CollectionId" ALL
    GET_CHANGES 0x13 "GetChanges" ALL
    MORE_AVAILABLE 0x14 "MoreAvailable" ALL
    WINDOW_SIZE 0x15 "WindowSize" ALL
    COMMANDS 0x16 "Commands" ALL
    OPTIONS 0x17 "Options" ALL
    FILTER_TYPE 0x18 "FilterType" ALL
    TRUNCATION 0x19 "Truncation" ONLY_2_5
    RTF_TRUNCATION 0x1A "RTFTruncation" NONE
    CONFLICT 0x1B "Conflict" ALL
    COLLECTIONS 0x1C "Collections" ALL
    APPLICATION_DATA 0x1D "ApplicationData" ALL
    DELETES_AS_MOVES 0x1E "DeletesAsMoves" ALL
    NOTIFY_GUID 0x1F "NotifyGUID" NONE
    SUPPORTED 0x20 "Supported" ALL
    SOFT_DELETE 0x21 "SoftDelete" ALL
    MIME_SUPPORT 0x22 "MIMESupport" ALL
    MIME_TRUNCATION 0x23 "MIMETruncation" ALL
    WAIT 0x24 "Wait" SINCE_12_1
    LIMIT 0x25 "Limit" SINCE_12_1
    PARTIAL 0x26 "Partial" SINCE_12_1
    CONVERSATION_MODE 0x27 "ConversationMode" SINCE_14_0
    MAX_ITEMS 0x28 "MaxItems" SINCE_14_0
    HEARTBEAT_INTERVAL 0x29 "HeartbeatInterval" SINCE_14_0
} }

page! { move_items 5 "Move" {
    MOVE_ITEMS 0x05 "MoveItems" ALL
    MOVE 0x06 "Move" ALL
    SRC_MSG_ID 0x07 "SrcMsgId" ALL
    SRC_FLD_ID 0x08 "SrcFldId" ALL
    DST_FLD_ID 0x09 "DstFldId" ALL
    RESPONSE 0x0A "Response" ALL
    STATUS 0x0B "Status" ALL
    DST_MSG_ID 0x0C "DstMsgId" ALL
} }

page! { get_item_estimate 6 "GetItemEstimate" {
    GET_ITEM_ESTIMATE 0x05 "GetItemEstimate" ALL
    VERSION 0x06 "Version" NONE
    COLLECTIONS 0x07 "Collections" ALL
    COLLECTION 0x08 "Collection" ALL
    CLASS 0x09 "Class" UNTIL_12_1
    COLLECTION_ID 0x0A "CollectionId" ALL
    DATE_TIME 0x0B "DateTime" NONE
    ESTIMATE 0x0C "Estimate" ALL
    RESPONSE 0x0D "Response" ALL
    STATUS 0x0E "Status" ALL
} }

page! { folder_hierarchy 7 "FolderHierarchy" {
    FOLDERS 0x05 "Folders" UNTIL_12_1
    FOLDER 0x06 "Folder" UNTIL_12_1
    DISPLAY_NAME 0x07 "DisplayName" ALL
    SERVER_ID 0x08 "ServerId" ALL
    PARENT_ID 0x09 "ParentId" ALL
    TYPE 0x0A "Type" ALL
    RESPONSE 0x0B "Response" NONE
    STATUS 0x0C "Status" ALL
    CONTENT_CLASS 0x0D "ContentClass" NONE
    CHANGES 0x0E "Changes" ALL
    ADD 0x0F "Add" ALL
    DELETE 0x10 "Delete" ALL
    UPDATE 0x11 "Update" ALL
    SYNC_KEY 0x12 "SyncKey" ALL
    FOLDER_CREATE 0x13 "FolderCreate" ALL
    FOLDER_DELETE 0x14 "FolderDelete" ALL
    FOLDER_UPDATE 0x15 "FolderUpdate" ALL
    FOLDER_SYNC 0x16 "FolderSync" ALL
    COUNT 0x17 "Count" ALL
    VERSION 0x18 "Version" NONE
} }

page! { meeting_response 8 "MeetingResponse" {
    CALENDAR_ID 0x05 "CalendarId" ALL
    COLLECTION_ID 0x06 "CollectionId" ALL
    MEETING_RESPONSE 0x07 "MeetingResponse" ALL
    REQUEST_ID 0x08 "RequestId" ALL
    REQUEST 0x09 "Request" ALL
    RESULT 0x0A "Result" ALL
    STATUS 0x0B "Status" ALL
    USER_RESPONSE 0x0C "UserResponse" ALL
    VERSION 0x0D "Version" NONE
    INSTANCE_ID 0x0E "InstanceId" SINCE_14_1
    PROPOSED_START_TIME 0x10 "ProposedStartTime" SINCE_16_1
    PROPOSED_END_TIME 0x11 "ProposedEndTime" SINCE_16_1
    SEND_RESPONSE 0x12 "SendResponse" SINCE_16_0
} }

page! { resolve_recipients 10 "ResolveRecipients" {
    RESOLVE_RECIPIENTS 0x05 "ResolveRecipients" ALL
    RESPONSE 0x06 "Response" ALL
    STATUS 0x07 "Status" ALL
    TYPE 0x08 "Type" ALL
    RECIPIENT 0x09 "Recipient" ALL
    DISPLAY_NAME 0x0A "DisplayName" ALL
    EMAIL_ADDRESS 0x0B "EmailAddress" ALL
    CERTIFICATES 0x0C "Certificates" ALL
    CERTIFICATE 0x0D "Certificate" ALL
    MINI_CERTIFICATE 0x0E "MiniCertificate" ALL
    OPTIONS 0x0F "Options" ALL
    TO 0x10 "To" ALL
    CERTIFICATE_RETRIEVAL 0x11 "CertificateRetrieval" ALL
    RECIPIENT_COUNT 0x12 "RecipientCount" ALL
    MAX_CERTIFICATES 0x13 "MaxCertificates" ALL
    MAX_AMBIGUOUS_RECIPIENTS 0x14 "MaxAmbiguousRecipients" ALL
    CERTIFICATE_COUNT 0x15 "CertificateCount" ALL
    AVAILABILITY 0x16 "Availability" SINCE_14_0
    START_TIME 0x17 "StartTime" SINCE_14_0
    END_TIME 0x18 "EndTime" SINCE_14_0
    MERGED_FREE_BUSY 0x19 "MergedFreeBusy" SINCE_14_0
    PICTURE 0x1A "Picture" SINCE_14_1
    MAX_SIZE 0x1B "MaxSize" SINCE_14_1
    DATA 0x1C "Data" SINCE_14_1
    MAX_PICTURES 0x1D "MaxPictures" SINCE_14_1
} }

page! { validate_cert 11 "ValidateCert" {
    VALIDATE_CERT 0x05 "ValidateCert" ALL
    CERTIFICATES 0x06 "Certificates" ALL
    CERTIFICATE 0x07 "Certificate" ALL
    CERTIFICATE_CHAIN 0x08 "CertificateChain" ALL
    CHECK_CRL 0x09 "CheckCRL" ALL
    STATUS 0x0A "Status" ALL
} }

page! { ping 13 "Ping" {
    PING 0x05 "Ping" ALL
    AUTD_STATE 0x06 "AutdState" NONE
    STATUS 0x07 "Status" ALL
    HEARTBEAT_INTERVAL 0x08 "HeartbeatInterval" ALL
    FOLDERS 0x09 "Folders" ALL
    FOLDER 0x0A "Folder" ALL
    ID 0x0B "Id" ALL
    CLASS 0x0C "Class" ALL
    MAX_FOLDERS 0x0D "MaxFolders" ALL
} }

page! { provision 14 "Provision" {
    PROVISION 0x05 "Provision" ALL
    POLICIES 0x06 "Policies" ALL
    POLICY 0x07 "Policy" ALL
    POLICY_TYPE 0x08 "PolicyType" ALL
    POLICY_KEY 0x09 "PolicyKey" ALL
    DATA 0x0A "Data" ALL
    STATUS 0x0B "Status" ALL
    REMOTE_WIPE 0x0C "RemoteWipe" ALL
    EAS_PROVISION_DOC 0x0D "EASProvisionDoc" SINCE_12_0
    DEVICE_PASSWORD_ENABLED 0x0E "DevicePasswordEnabled" SINCE_12_0
    ALPHANUMERIC_DEVICE_PASSWORD_REQUIRED 0x0F "AlphanumericDevicePasswordRequired" SINCE_12_0
    REQUIRE_STORAGE_CARD_ENCRYPTION 0x10 "RequireStorageCardEncryption" SINCE_12_1
    PASSWORD_RECOVERY_ENABLED 0x11 "PasswordRecoveryEnabled" SINCE_12_0
    DOCUMENT_BROWSE_ENABLED 0x12 "DocumentBrowseEnabled" NONE
    ATTACHMENTS_ENABLED 0x13 "AttachmentsEnabled" SINCE_12_0
    MIN_DEVICE_PASSWORD_LENGTH 0x14 "MinDevicePasswordLength" SINCE_12_0
    MAX_INACTIVITY_TIME_DEVICE_LOCK 0x15 "MaxInactivityTimeDeviceLock" SINCE_12_0
    MAX_DEVICE_PASSWORD_FAILED_ATTEMPTS 0x16 "MaxDevicePasswordFailedAttempts" SINCE_12_0
    MAX_ATTACHMENT_SIZE 0x17 "MaxAttachmentSize" SINCE_12_0
    ALLOW_SIMPLE_DEVICE_PASSWORD 0x18 "AllowSimpleDevicePassword" SINCE_12_0
    DEVICE_PASSWORD_EXPIRATION 0x19 "DevicePasswordExpiration" SINCE_12_0
    DEVICE_PASSWORD_HISTORY 0x1A "DevicePasswordHistory" SINCE_12_0
    ALLOW_STORAGE_CARD 0x1B "AllowStorageCard" SINCE_12_1
    ALLOW_CAMERA 0x1C "AllowCamera" SINCE_12_1
    REQUIRE_DEVICE_ENCRYPTION 0x1D "RequireDeviceEncryption" SINCE_12_1
    ALLOW_UNSIGNED_APPLICATIONS 0x1E "AllowUnsignedApplications" SINCE_12_1
    ALLOW_UNSIGNED_INSTALLATION_PACKAGES 0x1F "AllowUnsignedInstallationPackages" SINCE_12_1
    MIN_DEVICE_PASSWORD_COMPLEX_CHARACTERS 0x20 "MinDevicePasswordComplexCharacters" SINCE_12_1
    ALLOW_WIFI 0x21 "AllowWiFi" SINCE_12_1
    ALLOW_TEXT_MESSAGING 0x22 "AllowTextMessaging" SINCE_12_1
    ALLOW_POP_IMAP_EMAIL 0x23 "AllowPOPIMAPEmail" SINCE_12_1
    ALLOW_BLUETOOTH 0x24 "AllowBluetooth" SINCE_12_1
    ALLOW_IRDA 0x25 "AllowIrDA" SINCE_12_1
    REQUIRE_MANUAL_SYNC_WHEN_ROAMING 0x26 "RequireManualSyncWhenRoaming" SINCE_12_1
    ALLOW_DESKTOP_SYNC 0x27 "AllowDesktopSync" SINCE_12_1
    MAX_CALENDAR_AGE_FILTER 0x28 "MaxCalendarAgeFilter" SINCE_12_1
    ALLOW_HTML_EMAIL 0x29 "AllowHTMLEmail" SINCE_12_1
    MAX_EMAIL_AGE_FILTER 0x2A "MaxEmailAgeFilter" SINCE_12_1
    MAX_EMAIL_BODY_TRUNCATION_SIZE 0x2B "MaxEmailBodyTruncationSize" SINCE_12_1
    MAX_EMAIL_HTML_BODY_TRUNCATION_SIZE 0x2C "MaxEmailHTMLBodyTruncationSize" SINCE_12_1
    REQUIRE_SIGNED_SMIME_MESSAGES 0x2D "RequireSignedSMIMEMessages" SINCE_12_1
    REQUIRE_ENCRYPTED_SMIME_MESSAGES 0x2E "RequireEncryptedSMIMEMessages" SINCE_12_1
    REQUIRE_SIGNED_SMIME_ALGORITHM 0x2F "RequireSignedSMIMEAlgorithm" SINCE_12_1
    REQUIRE_ENCRYPTION_SMIME_ALGORITHM 0x30 "RequireEncryptionSMIMEAlgorithm" SINCE_12_1
    ALLOW_SMIME_ENCRYPTION_ALGORITHM_NEGOTIATION 0x31 "AllowSMIMEEncryptionAlgorithmNegotiation" SINCE_12_1
    ALLOW_SMIME_SOFT_CERTS 0x32 "AllowSMIMESoftCerts" SINCE_12_1
    ALLOW_BROWSER 0x33 "AllowBrowser" SINCE_12_1
    ALLOW_CONSUMER_EMAIL 0x34 "AllowConsumerEmail" SINCE_12_1
    ALLOW_REMOTE_DESKTOP 0x35 "AllowRemoteDesktop" SINCE_12_1
    ALLOW_INTERNET_SHARING 0x36 "AllowInternetSharing" SINCE_12_1
    UNAPPROVED_IN_ROM_APPLICATION_LIST 0x37 "UnapprovedInROMApplicationList" SINCE_12_1
    APPLICATION_NAME 0x38 "ApplicationName" SINCE_12_1
    APPROVED_APPLICATION_LIST 0x39 "ApprovedApplicationList" SINCE_12_1
    HASH 0x3A "Hash" SINCE_12_1
    ACCOUNT_ONLY_REMOTE_WIPE 0x3B "AccountOnlyRemoteWipe" SINCE_16_1
} }

page! { search 15 "Search" {
    SEARCH 0x05 "Search" ALL
    STORE 0x07 "Store" ALL
    NAME 0x08 "Name" ALL
    QUERY 0x09 "Query" ALL
    OPTIONS 0x0A "Options" ALL
    RANGE 0x0B "Range" ALL
    STATUS 0x0C "Status" ALL
    RESPONSE 0x0D "Response" ALL
    RESULT 0x0E "Result" ALL
    PROPERTIES 0x0F "Properties" ALL
    TOTAL 0x10 "Total" ALL
    EQUAL_TO 0x11 "EqualTo" SINCE_12_0
    VALUE 0x12 "Value" SINCE_12_0
    AND 0x13 "And" SINCE_12_0
    OR 0x14 "Or" SINCE_12_0
    FREE_TEXT 0x15 "FreeText" SINCE_12_0
    DEEP_TRAVERSAL 0x17 "DeepTraversal" SINCE_12_0
    LONG_ID 0x18 "LongId" SINCE_12_0
    REBUILD_RESULTS 0x19 "RebuildResults" SINCE_12_0
    LESS_THAN 0x1A "LessThan" SINCE_12_0
    GREATER_THAN 0x1B "GreaterThan" SINCE_12_0
    SCHEMA 0x1C "Schema" NONE
    SUPPORTED 0x1D "Supported" NONE
    USER_NAME 0x1E "UserName" SINCE_12_1
    PASSWORD 0x1F "Password" SINCE_12_1
    CONVERSATION_ID 0x20 "ConversationId" SINCE_14_0
    PICTURE 0x21 "Picture" SINCE_14_1
    MAX_SIZE 0x22 "MaxSize" SINCE_14_1
    MAX_PICTURES 0x23 "MaxPictures" SINCE_14_1
} }

page! { settings 18 "Settings" {
    SETTINGS 0x05 "Settings" SINCE_12_0
    STATUS 0x06 "Status" SINCE_12_0
    GET 0x07 "Get" SINCE_12_0
    SET 0x08 "Set" SINCE_12_0
    OOF 0x09 "Oof" SINCE_12_0
    OOF_STATE 0x0A "OofState" SINCE_12_0
    START_TIME 0x0B "StartTime" SINCE_12_0
    END_TIME 0x0C "EndTime" SINCE_12_0
    OOF_MESSAGE 0x0D "OofMessage" SINCE_12_0
    APPLIES_TO_INTERNAL 0x0E "AppliesToInternal" SINCE_12_0
    APPLIES_TO_EXTERNAL_KNOWN 0x0F "AppliesToExternalKnown" SINCE_12_0
    APPLIES_TO_EXTERNAL_UNKNOWN 0x10 "AppliesToExternalUnknown" SINCE_12_0
    ENABLED 0x11 "Enabled" SINCE_12_0
    REPLY_MESSAGE 0x12 "ReplyMessage" SINCE_12_0
    BODY_TYPE 0x13 "BodyType" SINCE_12_0
    DEVICE_PASSWORD 0x14 "DevicePassword" SINCE_12_0
    PASSWORD 0x15 "Password" SINCE_12_0
    DEVICE_INFORMATION 0x16 "DeviceInformation" SINCE_12_0
    MODEL 0x17 "Model" SINCE_12_0
    IMEI 0x18 "IMEI" SINCE_12_0
    FRIENDLY_NAME 0x19 "FriendlyName" SINCE_12_0
    OS 0x1A "OS" SINCE_12_0
    OS_LANGUAGE 0x1B "OSLanguage" SINCE_12_0
    PHONE_NUMBER 0x1C "PhoneNumber" SINCE_12_0
    USER_INFORMATION 0x1D "UserInformation" SINCE_12_0
    EMAIL_ADDRESSES 0x1E "EmailAddresses" SINCE_12_0
    SMTP_ADDRESS 0x1F "SMTPAddress" SINCE_12_0
    USER_AGENT 0x20 "UserAgent" SINCE_12_1
    ENABLE_OUTBOUND_SMS 0x21 "EnableOutboundSMS" SINCE_14_0
    MOBILE_OPERATOR 0x22 "MobileOperator" SINCE_14_0
    PRIMARY_SMTP_ADDRESS 0x23 "PrimarySmtpAddress" SINCE_14_1
    ACCOUNTS 0x24 "Accounts" SINCE_14_1
    ACCOUNT 0x25 "Account" SINCE_14_1
    ACCOUNT_ID 0x26 "AccountId" SINCE_14_1
    ACCOUNT_NAME 0x27 "AccountName" SINCE_14_1
    USER_DISPLAY_NAME 0x28 "UserDisplayName" SINCE_14_1
    SEND_DISABLED 0x29 "SendDisabled" SINCE_14_1
    RIGHTS_MANAGEMENT_INFORMATION 0x2B "RightsManagementInformation" SINCE_14_1
} }

page! { item_operations 20 "ItemOperations" {
    ITEM_OPERATIONS 0x05 "ItemOperations" SINCE_12_0
    FETCH 0x06 "Fetch" SINCE_12_0
    STORE 0x07 "Store" SINCE_12_0
    OPTIONS 0x08 "Options" SINCE_12_0
    RANGE 0x09 "Range" SINCE_12_0
    TOTAL 0x0A "Total" SINCE_12_0
    PROPERTIES 0x0B "Properties" SINCE_12_0
    DATA 0x0C "Data" SINCE_12_0
    STATUS 0x0D "Status" SINCE_12_0
    RESPONSE 0x0E "Response" SINCE_12_0
    VERSION 0x0F "Version" SINCE_12_0
    SCHEMA 0x10 "Schema" SINCE_12_0
    PART 0x11 "Part" SINCE_12_0
    EMPTY_FOLDER_CONTENTS 0x12 "EmptyFolderContents" SINCE_12_0
    DELETE_SUB_FOLDERS 0x13 "DeleteSubFolders" SINCE_12_0
    USER_NAME 0x14 "UserName" SINCE_12_1
    PASSWORD 0x15 "Password" SINCE_12_1
    MOVE 0x16 "Move" SINCE_14_0
    DST_FLD_ID 0x17 "DstFldId" SINCE_14_0
    CONVERSATION_ID 0x18 "ConversationId" SINCE_14_0
    MOVE_ALWAYS 0x19 "MoveAlways" SINCE_14_0
} }

page! { compose_mail 21 "ComposeMail" {
    SEND_MAIL 0x05 "SendMail" SINCE_14_0
    SMART_FORWARD 0x06 "SmartForward" SINCE_14_0
    SMART_REPLY 0x07 "SmartReply" SINCE_14_0
    SAVE_IN_SENT_ITEMS 0x08 "SaveInSentItems" SINCE_14_0
    REPLACE_MIME 0x09 "ReplaceMime" SINCE_14_0
    SOURCE 0x0B "Source" SINCE_14_0
    FOLDER_ID 0x0C "FolderId" SINCE_14_0
    ITEM_ID 0x0D "ItemId" SINCE_14_0
    LONG_ID 0x0E "LongId" SINCE_14_0
    INSTANCE_ID 0x0F "InstanceId" SINCE_14_0
    MIME 0x10 "Mime" SINCE_14_0
    CLIENT_ID 0x11 "ClientId" SINCE_14_0
    STATUS 0x12 "Status" SINCE_14_0
    ACCOUNT_ID 0x13 "AccountId" SINCE_14_1
    FORWARDEES 0x15 "Forwardees" SINCE_16_0
    FORWARDEE 0x16 "Forwardee" SINCE_16_0
    NAME 0x17 "Name" SINCE_16_0
    EMAIL 0x18 "Email" SINCE_16_0
} }

page! { find 25 "Find" {
    FIND 0x05 "Find" SINCE_16_1
    SEARCH_ID 0x06 "SearchId" SINCE_16_1
    EXECUTE_SEARCH 0x07 "ExecuteSearch" SINCE_16_1
    MAIL_BOX_SEARCH_CRITERION 0x08 "MailBoxSearchCriterion" SINCE_16_1
    QUERY 0x09 "Query" SINCE_16_1
    STATUS 0x0A "Status" SINCE_16_1
    FREE_TEXT 0x0B "FreeText" SINCE_16_1
    OPTIONS 0x0C "Options" SINCE_16_1
    RANGE 0x0D "Range" SINCE_16_1
    DEEP_TRAVERSAL 0x0E "DeepTraversal" SINCE_16_1
    RESPONSE 0x11 "Response" SINCE_16_1
    RESULT 0x12 "Result" SINCE_16_1
    PROPERTIES 0x13 "Properties" SINCE_16_1
    PREVIEW 0x14 "Preview" SINCE_16_1
    HAS_ATTACHMENTS 0x15 "HasAttachments" SINCE_16_1
    TOTAL 0x16 "Total" SINCE_16_1
    DISPLAY_CC 0x17 "DisplayCc" SINCE_16_1
    DISPLAY_BCC 0x18 "DisplayBcc" SINCE_16_1
    GAL_SEARCH_CRITERION 0x19 "GalSearchCriterion" SINCE_16_1
    MAX_PICTURES 0x20 "MaxPictures" SINCE_16_1
    MAX_SIZE 0x21 "MaxSize" SINCE_16_1
    PICTURE 0x22 "Picture" SINCE_16_1
} }
