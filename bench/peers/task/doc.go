// Package task is what the peers of bench/peers are set to do: it writes certification
// authorities, certificates, keys, one signed request and requests like it that must be
// refused, and it judges the answer that a peer gives.
//
//	err := task.Write(dir, "p256", time.Now())
//	err = task.Judge(dir, answer)
//
// There are three sets of keys:
//
//	rsa     everything RSA-2048
//	p256    everything P-256
//	mixed   P-256 for the key of the STS, everything else RSA-2048
//
// The folder of a task holds
//
//	request.xml               the message that every peer answers
//	refuse/*.xml              messages that every peer must refuse; requests.go says why
//	now                       the clock of all peers, seconds since 1970: it stands still
//	facts.tsv                 what the authentic source knows of the requestor: attribute, value
//	registry.csv, policy.yaml the same for our own service, and its rules
//	{citizen,ehealth}-{root,ca}.pem, crl/*.crl
//	sts.pem, sts.key          certificate and key (PKCS #8) of the STS; sts.der, sts.key.der the same in DER
//
// The keys are new at every call and protect nothing.
package task
