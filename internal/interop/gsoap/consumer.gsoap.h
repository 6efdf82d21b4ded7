//gsoap samlp service name: consumer
//gsoap samlp schema namespace: urn:oasis:names:tc:SAML:1.0:protocol
//gsoap saml schema namespace: urn:oasis:names:tc:SAML:1.0:assertion
//gsoap t schema namespace: urn:sceau:interop
//gsoap echo schema namespace: urn:sceau:echo:1.0

// What soapcpp2 makes the consumer of. wsse-any.h is Debian's wsse.h with "_XML __any" in the place of its SAML types:
// to read the assertion into structures and to write it again under gSOAP's prefix would break its signature.
#import "wsse-any.h"

struct saml__NameIdentifierType {
  char *__item;
  @char *NameQualifier;
  @char *Format;
};

struct saml__AttributeType {
  @char *AttributeName;
  @char *AttributeNamespace;
  char *saml__AttributeValue;
};

struct saml__SubjectType {
  struct saml__NameIdentifierType *saml__NameIdentifier 1;
  struct saml__SubjectConfirmationType *saml__SubjectConfirmation 0;
};

struct saml__AttributeStatementType {
  struct saml__SubjectType *saml__Subject 0;
  int __sizeAttribute;
  struct saml__AttributeType *saml__Attribute 0;
};

struct saml__ConditionsType {
  @char *NotBefore;
  @char *NotOnOrAfter;
};

struct saml__AssertionType {
  @char *AssertionID;
  @char *IssueInstant;
  @char *Issuer;
  @char *MajorVersion;
  @char *MinorVersion;
  struct saml__ConditionsType *saml__Conditions 0;
  struct saml__AttributeStatementType *saml__AttributeStatement 0;
};

struct saml__SubjectConfirmationDataType {
  struct saml__AssertionType *saml__Assertion 1;
};

struct saml__SubjectConfirmationType {
  char *saml__ConfirmationMethod 1;
  struct saml__SubjectConfirmationDataType *saml__SubjectConfirmationData 0;
  struct ds__KeyInfoType *ds__KeyInfo 0;
};

struct saml__AttributeDesignatorType {
  @char *AttributeName;
  @char *AttributeNamespace;
};

struct samlp__AttributeQueryType {
  struct saml__SubjectType *saml__Subject 1;
  int __sizeDesignator;
  struct saml__AttributeDesignatorType *saml__AttributeDesignator 1;
};

struct samlp__RequestType {
  @char *RequestID;
  @char *IssueInstant;
  @char *MajorVersion;
  @char *MinorVersion;
  struct samlp__AttributeQueryType *samlp__AttributeQuery 1;
};

struct samlp__StatusType {
  char *samlp__StatusMessage 0;
};

struct samlp__ResponseType {
  struct samlp__StatusType *samlp__Status 0;
  struct saml__AssertionType *saml__Assertion 0;
};

int __samlp__Query(struct samlp__RequestType *samlp__Request, struct __samlp__QueryResponse {
  struct samlp__ResponseType *samlp__Response;
} *out);

struct echo__AttributeType {
  @char *Name;
  char *echo__Value 0;
};

struct echo__CallerType {
  int __sizeAttribute;
  struct echo__AttributeType *echo__Attribute 0;
};

struct echo__EchoResponseType {
  struct echo__CallerType *echo__Caller 0;
};

int __t__Call(char *t__Ask, struct __t__CallResponse {
  struct echo__EchoResponseType *echo__EchoResponse;
} *out);
