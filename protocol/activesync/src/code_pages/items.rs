//! Code pages whose tags describe items: mail, calendar, contacts and what they share.
//!
//! One line a tag: constant, token, name on the wire, protocol versions that use it ([MS-ASWBXML] 2.1.2.1).

use super::page;

page! { contacts 1 "Contacts" {
    ANNIVERSARY 0x05 "Anniversary" ALL
    ASSISTANT_NAME 0x06 "AssistantName" ALL
    ASSISTANT_PHONE_NUMBER 0x07 "AssistantPhoneNumber" ALL
    BIRTHDAY 0x08 "Birthday" ALL
    BODY 0x09 "Body" ONLY_2_5
    BODY_SIZE 0x0A "BodySize" ONLY_2_5
    BODY_TRUNCATED 0x0B "BodyTruncated" ONLY_2_5
    BUSINESS2_PHONE_NUMBER 0x0C "Business2PhoneNumber" ALL
    BUSINESS_ADDRESS_CITY 0x0D "BusinessAddressCity" ALL
    BUSINESS_ADDRESS_COUNTRY 0x0E "BusinessAddressCountry" ALL
    BUSINESS_ADDRESS_POSTAL_CODE 0x0F "BusinessAddressPostalCode" ALL
    BUSINESS_ADDRESS_STATE 0x10 "BusinessAddressState" ALL
    BUSINESS_ADDRESS_STREET 0x11 "BusinessAddressStreet" ALL
    BUSINESS_FAX_NUMBER 0x12 "BusinessFaxNumber" ALL
    BUSINESS_PHONE_NUMBER 0x13 "BusinessPhoneNumber" ALL
    CAR_PHONE_NUMBER 0x14 "CarPhoneNumber" ALL
    CATEGORIES 0x15 "Categories" ALL
    CATEGORY 0x16 "Category" ALL
    CHILDREN 0x17 "Children" ALL
    CHILD 0x18 "Child" ALL
    COMPANY_NAME 0x19 "CompanyName" ALL
    DEPARTMENT 0x1A "Department" ALL
    EMAIL1_ADDRESS 0x1B "Email1Address" ALL
    EMAIL2_ADDRESS 0x1C "Email2Address" ALL
    EMAIL3_ADDRESS 0x1D "Email3Address" ALL
    FILE_AS 0x1E "FileAs" ALL
    FIRST_NAME 0x1F "FirstName" ALL
    HOME2_PHONE_NUMBER 0x20 "Home2PhoneNumber" ALL
    HOME_ADDRESS_CITY 0x21 "HomeAddressCity" ALL
    HOME_ADDRESS_COUNTRY 0x22 "HomeAddressCountry" ALL
    HOME_ADDRESS_POSTAL_CODE 0x23 "HomeAddressPostalCode" ALL
    HOME_ADDRESS_STATE 0x24 "HomeAddressState" ALL
    HOME_ADDRESS_STREET 0x25 "HomeAddressStreet" ALL
    HOME_FAX_NUMBER 0x26 "HomeFaxNumber" ALL
    HOME_PHONE_NUMBER 0x27 "HomePhoneNumber" ALL
    JOB_TITLE 0x28 "JobTitle" ALL
    LAST_NAME 0x29 "LastName" ALL
    MIDDLE_NAME 0x2A "MiddleName" ALL
    MOBILE_PHONE_NUMBER 0x2B "MobilePhoneNumber" ALL
    OFFICE_LOCATION 0x2C "OfficeLocation" ALL
    OTHER_ADDRESS_CITY 0x2D "OtherAddressCity" ALL
    OTHER_ADDRESS_COUNTRY 0x2E "OtherAddressCountry" ALL
    OTHER_ADDRESS_POSTAL_CODE 0x2F "OtherAddressPostalCode" ALL
    OTHER_ADDRESS_STATE 0x30 "OtherAddressState" ALL
    OTHER_ADDRESS_STREET 0x31 "OtherAddressStreet" ALL
    PAGER_NUMBER 0x32 "PagerNumber" ALL
    RADIO_PHONE_NUMBER 0x33 "RadioPhoneNumber" ALL
    SPOUSE 0x34 "Spouse" ALL
    SUFFIX 0x35 "Suffix" ALL
    TITLE 0x36 "Title" ALL
    WEB_PAGE 0x37 "WebPage" ALL
    YOMI_COMPANY_NAME 0x38 "YomiCompanyName" ALL
    YOMI_FIRST_NAME 0x39 "YomiFirstName" ALL
    YOMI_LAST_NAME 0x3A "YomiLastName" ALL
    COMPRESSED_RTF 0x3B "CompressedRTF" NONE
    PICTURE 0x3C "Picture" ALL
    ALIAS 0x3D "Alias" SINCE_14_0
    WEIGHTED_RANK 0x3E "WeightedRank" SINCE_14_0
} }

page! { email 2 "Email" {
    ATTACHMENT 0x05 "Attachment" ONLY_2_5
    ATTACHMENTS 0x06 "Attachments" ONLY_2_5
    ATT_NAME 0x07 "AttName" ONLY_2_5
    ATT_SIZE 0x08 "AttSize" ONLY_2_5
    ATT0ID 0x09 "Att0id" ONLY_2_5
    ATT_METHOD 0x0A "AttMethod" ONLY_2_5
    ATT_REMOVED 0x0B "AttRemoved" NONE
    BODY 0x0C "Body" ONLY_2_5
    BODY_SIZE 0x0D "BodySize" ONLY_2_5
    BODY_TRUNCATED 0x0E "BodyTruncated" ONLY_2_5
    DATE_RECEIVED 0x0F "DateReceived" ALL
    DISPLAY_NAME 0x10 "DisplayName" ONLY_2_5
    DISPLAY_TO 0x11 "DisplayTo" ALL
    IMPORTANCE 0x12 "Importance" ALL
    MESSAGE_CLASS 0x13 "MessageClass" ALL
    SUBJECT 0x14 "Subject" ALL
    READ 0x15 "Read" ALL
    TO 0x16 "To" ALL
    CC 0x17 "Cc" ALL
    FROM 0x18 "From" ALL
    REPLY_TO 0x19 "ReplyTo" ALL
    ALL_DAY_EVENT 0x1A "AllDayEvent" ALL
    CATEGORIES 0x1B "Categories" SINCE_14_0
    CATEGORY 0x1C "Category" SINCE_14_0
    DT_STAMP 0x1D "DtStamp" ALL
    END_TIME 0x1E "EndTime" ALL
    INSTANCE_TYPE 0x1F "InstanceType" ALL
    BUSY_STATUS 0x20 "BusyStatus" ALL
    LOCATION 0x21 "Location" UNTIL_14_1
    MEETING_REQUEST 0x22 "MeetingRequest" ALL
    ORGANIZER 0x23 "Organizer" ALL
    RECURRENCE_ID 0x24 "RecurrenceId" ALL
    REMINDER 0x25 "Reminder" ALL
    RESPONSE_REQUESTED 0x26 "ResponseRequested" ALL
    RECURRENCES 0x27 "Recurrences" ALL
    RECURRENCE 0x28 "Recurrence" ALL
    TYPE 0x29 "Type" ALL
    UNTIL 0x2A "Until" ALL
    OCCURRENCES 0x2B "Occurrences" ALL
    INTERVAL 0x2C "Interval" ALL
    DAY_OF_WEEK 0x2D "DayOfWeek" ALL
    DAY_OF_MONTH 0x2E "DayOfMonth" ALL
    WEEK_OF_MONTH 0x2F "WeekOfMonth" ALL
    MONTH_OF_YEAR 0x30 "MonthOfYear" ALL
    START_TIME 0x31 "StartTime" ALL
    SENSITIVITY 0x32 "Sensitivity" ALL
    TIME_ZONE 0x33 "TimeZone" ALL
    GLOBAL_OBJ_ID 0x34 "GlobalObjId" UNTIL_14_1
    THREAD_TOPIC 0x35 "ThreadTopic" ALL
    MIME_DATA 0x36 "MIMEData" ONLY_2_5
    MIME_TRUNCATED 0x37 "MIMETruncated" ONLY_2_5
    MIME_SIZE 0x38 "MIMESize" ONLY_2_5
    INTERNET_CPID 0x39 "InternetCPID" ALL
    FLAG 0x3A "Flag" SINCE_12_0
    STATUS 0x3B "Status" SINCE_12_0
    CONTENT_CLASS 0x3C "ContentClass" SINCE_12_0
    FLAG_TYPE 0x3D "FlagType" SINCE_12_0
    COMPLETE_TIME 0x3E "CompleteTime" SINCE_12_0
    DISALLOW_NEW_TIME_PROPOSAL 0x3F "DisallowNewTimeProposal" SINCE_14_0
} }

page! { calendar 4 "Calendar" {
    TIMEZONE 0x05 "Timezone" ALL
    ALL_DAY_EVENT 0x06 "AllDayEvent" ALL
    ATTENDEES 0x07 "Attendees" ALL
    ATTENDEE 0x08 "Attendee" ALL
    EMAIL 0x09 "Email" ALL
    NAME 0x0A "Name" ALL
    BODY 0x0B "Body" ONLY_2_5
    BODY_TRUNCATED 0x0C "BodyTruncated" ONLY_2_5
    BUSY_STATUS 0x0D "BusyStatus" ALL
    CATEGORIES 0x0E "Categories" ALL
    CATEGORY 0x0F "Category" ALL
    COMPRESSED_RTF 0x10 "CompressedRTF" NONE
    DT_STAMP 0x11 "DtStamp" ALL
    END_TIME 0x12 "EndTime" ALL
    EXCEPTION 0x13 "Exception" ALL
    EXCEPTIONS 0x14 "Exceptions" ALL
    DELETED 0x15 "Deleted" ALL
    EXCEPTION_START_TIME 0x16 "ExceptionStartTime" UNTIL_14_1
    LOCATION 0x17 "Location" UNTIL_14_1
    MEETING_STATUS 0x18 "MeetingStatus" ALL
    ORGANIZER_EMAIL 0x19 "OrganizerEmail" ALL
    ORGANIZER_NAME 0x1A "OrganizerName" ALL
    RECURRENCE 0x1B "Recurrence" ALL
    TYPE 0x1C "Type" ALL
    UNTIL 0x1D "Until" ALL
    OCCURRENCES 0x1E "Occurrences" ALL
    INTERVAL 0x1F "Interval" ALL
    DAY_OF_WEEK 0x20 "DayOfWeek" ALL
    DAY_OF_MONTH 0x21 "DayOfMonth" ALL
    WEEK_OF_MONTH 0x22 "WeekOfMonth" ALL
    MONTH_OF_YEAR 0x23 "MonthOfYear" ALL
    REMINDER 0x24 "Reminder" ALL
    SENSITIVITY 0x25 "Sensitivity" ALL
    SUBJECT 0x26 "Subject" ALL
    START_TIME 0x27 "StartTime" ALL
    UID 0x28 "UID" ALL
    ATTENDEE_STATUS 0x29 "AttendeeStatus" SINCE_12_0
    ATTENDEE_TYPE 0x2A "AttendeeType" SINCE_12_0
    DISALLOW_NEW_TIME_PROPOSAL 0x33 "DisallowNewTimeProposal" SINCE_14_0
    RESPONSE_REQUESTED 0x34 "ResponseRequested" SINCE_14_0
    APPOINTMENT_REPLY_TIME 0x35 "AppointmentReplyTime" SINCE_14_0
    RESPONSE_TYPE 0x36 "ResponseType" SINCE_14_0
    CALENDAR_TYPE 0x37 "CalendarType" SINCE_14_0
    IS_LEAP_MONTH 0x38 "IsLeapMonth" SINCE_14_0
    FIRST_DAY_OF_WEEK 0x39 "FirstDayOfWeek" SINCE_14_1
    ONLINE_MEETING_CONF_LINK 0x3A "OnlineMeetingConfLink" SINCE_14_1
    ONLINE_MEETING_EXTERNAL_LINK 0x3B "OnlineMeetingExternalLink" SINCE_14_1
    CLIENT_UID 0x3C "ClientUid" SINCE_16_0
} }

page! { tasks 9 "Tasks" {
    BODY 0x05 "Body" ONLY_2_5
    BODY_SIZE 0x06 "BodySize" ONLY_2_5
    BODY_TRUNCATED 0x07 "BodyTruncated" ONLY_2_5
    CATEGORIES 0x08 "Categories" ALL
    CATEGORY 0x09 "Category" ALL
    COMPLETE 0x0A "Complete" ALL
    DATE_COMPLETED 0x0B "DateCompleted" ALL
    DUE_DATE 0x0C "DueDate" ALL
    UTC_DUE_DATE 0x0D "UtcDueDate" ALL
    IMPORTANCE 0x0E "Importance" ALL
    RECURRENCE 0x0F "Recurrence" ALL
    TYPE 0x10 "Type" ALL
    START 0x11 "Start" ALL
    UNTIL 0x12 "Until" ALL
    OCCURRENCES 0x13 "Occurrences" ALL
    INTERVAL 0x14 "Interval" ALL
    DAY_OF_MONTH 0x15 "DayOfMonth" ALL
    DAY_OF_WEEK 0x16 "DayOfWeek" ALL
    WEEK_OF_MONTH 0x17 "WeekOfMonth" ALL
    MONTH_OF_YEAR 0x18 "MonthOfYear" ALL
    REGENERATE 0x19 "Regenerate" ALL
    DEAD_OCCUR 0x1A "DeadOccur" ALL
    REMINDER_SET 0x1B "ReminderSet" ALL
    REMINDER_TIME 0x1C "ReminderTime" ALL
    SENSITIVITY 0x1D "Sensitivity" ALL
    START_DATE 0x1E "StartDate" ALL
    UTC_START_DATE 0x1F "UtcStartDate" ALL
    SUBJECT 0x20 "Subject" ALL
    COMPRESSED_RTF 0x21 "CompressedRTF" NONE
    ORDINAL_DATE 0x22 "OrdinalDate" SINCE_12_0
    SUB_ORDINAL_DATE 0x23 "SubOrdinalDate" SINCE_12_0
    CALENDAR_TYPE 0x24 "CalendarType" SINCE_14_0
    IS_LEAP_MONTH 0x25 "IsLeapMonth" SINCE_14_0
    FIRST_DAY_OF_WEEK 0x26 "FirstDayOfWeek" SINCE_14_1
} }

page! { contacts2 12 "Contacts2" {
    CUSTOMER_ID 0x05 "CustomerId" ALL
    GOVERNMENT_ID 0x06 "GovernmentId" ALL
    IM_ADDRESS 0x07 "IMAddress" ALL
    IM_ADDRESS2 0x08 "IMAddress2" ALL
    IM_ADDRESS3 0x09 "IMAddress3" ALL
    MANAGER_NAME 0x0A "ManagerName" ALL
    COMPANY_MAIN_PHONE 0x0B "CompanyMainPhone" ALL
    ACCOUNT_NAME 0x0C "AccountName" ALL
    NICK_NAME 0x0D "NickName" ALL
    MMS 0x0E "MMS" ALL
} }

page! { gal 16 "GAL" {
    DISPLAY_NAME 0x05 "DisplayName" ALL
    PHONE 0x06 "Phone" ALL
    OFFICE 0x07 "Office" ALL
    TITLE 0x08 "Title" ALL
    COMPANY 0x09 "Company" ALL
    ALIAS 0x0A "Alias" ALL
    FIRST_NAME 0x0B "FirstName" ALL
    LAST_NAME 0x0C "LastName" ALL
    HOME_PHONE 0x0D "HomePhone" ALL
    MOBILE_PHONE 0x0E "MobilePhone" ALL
    EMAIL_ADDRESS 0x0F "EmailAddress" ALL
    PICTURE 0x10 "Picture" SINCE_14_1
    STATUS 0x11 "Status" SINCE_14_1
    DATA 0x12 "Data" SINCE_14_1
} }

page! { air_sync_base 17 "AirSyncBase" {
    BODY_PREFERENCE 0x05 "BodyPreference" SINCE_12_0
    TYPE 0x06 "Type" SINCE_12_0
    TRUNCATION_SIZE 0x07 "TruncationSize" SINCE_12_0
    ALL_OR_NONE 0x08 "AllOrNone" SINCE_12_0
    BODY 0x0A "Body" SINCE_12_0
    DATA 0x0B "Data" SINCE_12_0
    ESTIMATED_DATA_SIZE 0x0C "EstimatedDataSize" SINCE_12_0
    TRUNCATED 0x0D "Truncated" SINCE_12_0
    ATTACHMENTS 0x0E "Attachments" SINCE_12_0
    ATTACHMENT 0x0F "Attachment" SINCE_12_0
    DISPLAY_NAME 0x10 "DisplayName" SINCE_12_0
    FILE_REFERENCE 0x11 "FileReference" SINCE_12_0
    METHOD 0x12 "Method" SINCE_12_0
    CONTENT_ID 0x13 "ContentId" SINCE_12_0
    CONTENT_LOCATION 0x14 "ContentLocation" SINCE_12_0
    IS_INLINE 0x15 "IsInline" SINCE_12_0
    NATIVE_BODY_TYPE 0x16 "NativeBodyType" SINCE_12_0
    CONTENT_TYPE 0x17 "ContentType" SINCE_12_0
    PREVIEW 0x18 "Preview" SINCE_14_0
    BODY_PART_PREFERENCE 0x19 "BodyPartPreference" SINCE_14_1
    BODY_PART 0x1A "BodyPart" SINCE_14_1
    STATUS 0x1B "Status" SINCE_14_1
    ADD 0x1C "Add" SINCE_16_0
    DELETE 0x1D "Delete" SINCE_16_0
    CLIENT_ID 0x1E "ClientId" SINCE_16_0
    CONTENT 0x1F "Content" SINCE_16_0
    LOCATION 0x20 "Location" SINCE_16_0
    ANNOTATION 0x21 "Annotation" SINCE_16_0
    STREET 0x22 "Street" SINCE_16_0
    CITY 0x23 "City" SINCE_16_0
    STATE 0x24 "State" SINCE_16_0
    COUNTRY 0x25 "Country" SINCE_16_0
    POSTAL_CODE 0x26 "PostalCode" SINCE_16_0
    LATITUDE 0x27 "Latitude" SINCE_16_0
    LONGITUDE 0x28 "Longitude" SINCE_16_0
    ACCURACY 0x29 "Accuracy" SINCE_16_0
    ALTITUDE 0x2A "Altitude" SINCE_16_0
    ALTITUDE_ACCURACY 0x2B "AltitudeAccuracy" SINCE_16_0
    LOCATION_URI 0x2C "LocationUri" SINCE_16_0
    INSTANCE_ID 0x2D "InstanceId" SINCE_16_0
} }

page! { document_library 19 "DocumentLibrary" {
    LINK_ID 0x05 "LinkId" SINCE_12_0
    DISPLAY_NAME 0x06 "DisplayName" SINCE_12_0
    IS_FOLDER 0x07 "IsFolder" SINCE_12_0
    CREATION_DATE 0x08 "CreationDate" SINCE_12_0
    LAST_MODIFIED_DATE 0x09 "LastModifiedDate" SINCE_12_0
    IS_HIDDEN 0x0A "IsHidden" SINCE_12_0
    CONTENT_LENGTH 0x0B "ContentLength" SINCE_12_0
    CONTENT_TYPE 0x0C "ContentType" SINCE_12_0
} }

page! { email2 22 "Email2" {
    UM_CALLER_ID 0x05 "UmCallerID" SINCE_14_0
    UM_USER_NOTES 0x06 "UmUserNotes" SINCE_14_0
    UM_ATT_DURATION 0x07 "UmAttDuration" SINCE_14_0
    UM_ATT_ORDER 0x08 "UmAttOrder" SINCE_14_0
    CONVERSATION_ID 0x09 "ConversationId" SINCE_14_0
    CONVERSATION_INDEX 0x0A "ConversationIndex" SINCE_14_0
    LAST_VERB_EXECUTED 0x0B "LastVerbExecuted" SINCE_14_0
    LAST_VERB_EXECUTION_TIME 0x0C "LastVerbExecutionTime" SINCE_14_0
    RECEIVED_AS_BCC 0x0D "ReceivedAsBcc" SINCE_14_0
    SENDER 0x0E "Sender" SINCE_14_0
    CALENDAR_TYPE 0x0F "CalendarType" SINCE_14_0
    IS_LEAP_MONTH 0x10 "IsLeapMonth" SINCE_14_0
    ACCOUNT_ID 0x11 "AccountId" SINCE_14_1
    FIRST_DAY_OF_WEEK 0x12 "FirstDayOfWeek" SINCE_14_1
    MEETING_MESSAGE_TYPE 0x13 "MeetingMessageType" SINCE_14_1
    IS_DRAFT 0x15 "IsDraft" SINCE_16_0
    BCC 0x16 "Bcc" SINCE_16_0
    SEND 0x17 "Send" SINCE_16_0
} }

page! { notes 23 "Notes" {
    SUBJECT 0x05 "Subject" SINCE_14_0
    MESSAGE_CLASS 0x06 "MessageClass" SINCE_14_0
    LAST_MODIFIED_DATE 0x07 "LastModifiedDate" SINCE_14_0
    CATEGORIES 0x08 "Categories" SINCE_14_0
    CATEGORY 0x09 "Category" SINCE_14_0
} }

page! { rights_management 24 "RightsManagement" {
    RIGHTS_MANAGEMENT_SUPPORT 0x05 "RightsManagementSupport" SINCE_14_1
    RIGHTS_MANAGEMENT_TEMPLATES 0x06 "RightsManagementTemplates" SINCE_14_1
    RIGHTS_MANAGEMENT_TEMPLATE 0x07 "RightsManagementTemplate" SINCE_14_1
    RIGHTS_MANAGEMENT_LICENSE 0x08 "RightsManagementLicense" SINCE_14_1
    EDIT_ALLOWED 0x09 "EditAllowed" SINCE_14_1
    REPLY_ALLOWED 0x0A "ReplyAllowed" SINCE_14_1
    REPLY_ALL_ALLOWED 0x0B "ReplyAllAllowed" SINCE_14_1
    FORWARD_ALLOWED 0x0C "ForwardAllowed" SINCE_14_1
    MODIFY_RECIPIENTS_ALLOWED 0x0D "ModifyRecipientsAllowed" SINCE_14_1
    EXTRACT_ALLOWED 0x0E "ExtractAllowed" SINCE_14_1
    PRINT_ALLOWED 0x0F "PrintAllowed" SINCE_14_1
    EXPORT_ALLOWED 0x10 "ExportAllowed" SINCE_14_1
    PROGRAMMATIC_ACCESS_ALLOWED 0x11 "ProgrammaticAccessAllowed" SINCE_14_1
    OWNER 0x12 "Owner" SINCE_14_1
    CONTENT_EXPIRY_DATE 0x13 "ContentExpiryDate" SINCE_14_1
    TEMPLATE_ID 0x14 "TemplateID" SINCE_14_1
    TEMPLATE_NAME 0x15 "TemplateName" SINCE_14_1
    TEMPLATE_DESCRIPTION 0x16 "TemplateDescription" SINCE_14_1
    CONTENT_OWNER 0x17 "ContentOwner" SINCE_14_1
    REMOVE_RIGHTS_MANAGEMENT_PROTECTION 0x18 "RemoveRightsManagementProtection" SINCE_14_1
} }
