package main

import (
	"errors"

	"github.com/jayproxy/jay/config"
	"github.com/jayproxy/jay/proxy"
	"github.com/jayproxy/jay/proxy/auth"
	"github.com/jayproxy/jay/proxy/policy"
)

// guards puts the policy and who may log in into o. It fails for files that cannot be used.
func guards(o *proxy.Options, c *config.Config) error {
	var policyErr, authErr error
	o.Policy, policyErr = policy.New(policyOptions(c.Policy))
	if c.AuthFile != "" {
		o.Auth, authErr = auth.New(auth.Options{File: c.AuthFile, Realm: c.AuthRealm})
	}
	return errors.Join(policyErr, authErr)
}

// policyOptions is what the configuration's section means to the policy.
func policyOptions(c *config.Policy) policy.Options {
	if c == nil {
		return policy.Options{}
	}
	o := policy.Options{Default: policyAction(c.Default), Groups: map[string][]string{}, Lists: map[string]string{}}
	for _, g := range c.Groups {
		o.Groups[g.Name] = g.Users
	}
	for _, l := range c.Lists {
		o.Lists[l.Name] = l.File
	}
	for i := range c.Rules {
		o.Rules = append(o.Rules, policyRule(&c.Rules[i]))
	}
	return o
}

func policyRule(c *config.PolicyRule) policy.Rule {
	r := policy.Rule{
		Name: c.Name, Action: policyAction(c.Action), Clients: c.Clients, Users: c.Users, Groups: c.Groups,
		To: c.To, Lists: c.Lists, Methods: c.Methods, Days: c.Days,
	}
	for _, p := range c.Ports {
		r.Ports = append(r.Ports, policy.PortRange(p))
	}
	for _, v := range c.Via {
		r.Via |= policyVia(v)
	}
	for _, h := range c.Hours {
		r.Hours = append(r.Hours, policy.Hours(h))
	}
	return r
}

func policyAction(word string) policy.Action {
	switch word {
	case config.PolicyAllow:
		return policy.Allow
	case config.PolicyDeny:
		return policy.Deny
	case config.PolicyReport:
		return policy.Report
	}
	return 0
}

// policyVia is the way that a word stands for; 0 for none.
func policyVia(word string) policy.Via {
	switch word {
	case "http":
		return policy.HTTP
	case "connect":
		return policy.Connect
	case "upgrade":
		return policy.Upgrade
	case "intercept":
		return policy.Intercept
	}
	return 0
}
