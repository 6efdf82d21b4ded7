package slapd

import "fmt"

func (d *Directory) configuration() string {
	return fmt.Sprintf(`
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
moduleload ppolicy
attributetype ( 1.3.6.1.4.1.4203.666.1.901 NAME 'recognised' EQUALITY booleanMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.7 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.4203.666.1.902 NAME 'validFrom' EQUALITY generalizedTimeMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.24 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.4203.666.1.903 NAME 'validUntil' EQUALITY generalizedTimeMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.24 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.4203.666.1.904 NAME 'nihii' EQUALITY caseExactMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.3.6.1.4.1.4203.666.1.905 NAME 'ssin' EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 )
attributetype ( 1.3.6.1.4.1.4203.666.1.906 NAME 'sealedCode' EQUALITY caseExactMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.2.840.113556.1.4.2 NAME 'objectGUID' EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.8 NAME 'userAccountControl' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.159 NAME 'accountExpires' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.221 NAME 'sAMAccountName' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
objectclass ( 1.3.6.1.4.1.4203.666.2.902 NAME 'windows' SUP top AUXILIARY MAY ( objectGUID $ userAccountControl $ accountExpires $ sAMAccountName $ sealedCode ) )
objectclass ( 1.3.6.1.4.1.4203.666.2.901 NAME 'care' SUP top AUXILIARY MAY ( recognised $ validFrom $ validUntil $ nihii $ ssin ) )
sizelimit 500
idletimeout 0
TLSCACertificateFile %[1]s/ca.pem
TLSCertificateFile %[1]s/server.pem
TLSCertificateKeyFile %[1]s/server.key
TLSVerifyClient allow
authz-regexp "^cn=sts client$" %[2]q
database mdb
suffix %[3]q
directory %[1]s/data
maxsize 104857600
rootdn "cn=admin,%[3]s"
rootpw admin
index employeeNumber eq
overlay memberof
overlay ppolicy
ppolicy_default "cn=passwords,%[3]s"
access to attrs=userPassword by anonymous auth by * none
access to dn.subtree="ou=hidden,%[3]s" by * none
access to * by dn.exact=%[2]q read by * none
`, d.dir, Reader, Suffix)
}

// entries are what every directory holds.
const entries = `dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
o: example
dc: example

dn: cn=sts,dc=example,dc=org
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: sts
userPassword: a secret of the tests

dn: cn=passwords,dc=example,dc=org
objectClass: organizationalRole
objectClass: pwdPolicy
cn: passwords
pwdAttribute: userPassword
pwdLockout: TRUE
pwdMaxFailure: 0
pwdMustChange: TRUE

dn: ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=example,dc=org
objectClass: organizationalUnit
ou: groups

dn: ou=hidden,dc=example,dc=org
objectClass: organizationalUnit
ou: hidden

dn: cn=alice,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
objectClass: care
cn: alice
sn: Example
givenName: Alice
employeeNumber: 00000000097
employeeType: 100
recognised: TRUE
nihii: 71000040001
validFrom: 20260101000000Z
validUntil: 20270101010000.0+0100
memberOf: cn=doctors,ou=groups,dc=example,dc=org

dn: cn=bob,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
objectClass: care
cn: bob
sn: Example
employeeNumber: 00000000194
employeeType: 200
recognised: FALSE

dn: cn=twice,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
cn: twice
sn: Example
employeeNumber: 00000000291

dn: cn=twice again,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
cn: twice again
sn: Example
employeeNumber: 00000000291

dn: cn=odd,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
objectClass: care
cn: odd
sn: Example
employeeNumber: 00000000388
employeeType: 999
nihii: 71000041001

dn: cn=doctors,ou=groups,dc=example,dc=org
objectClass: groupOfNames
cn: doctors
member: cn=alice,ou=people,dc=example,dc=org

dn: cn=secret,ou=hidden,dc=example,dc=org
objectClass: groupOfNames
cn: secret
member: cn=alice,ou=people,dc=example,dc=org

`
