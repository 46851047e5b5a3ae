"""Closed lists that the formats name.

Sources: ISO 4217 (with codes withdrawn since 1999, which old notices still carry); OCDS 1.1 and
the extensions that Find a Tender publishes with.
"""

from __future__ import annotations

from typing import Literal


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


CURRENCIES = _words(
    """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP
    BYN BZD CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR
    FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES
    KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR
    MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF
    SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS
    UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAF XCD XCG XDR XOF XPF YER ZAR ZMW ZWG
    ATS BEF BYR CYP CUC DEM EEK ESP FIM FRF GRD HRK IEP ITL LTL LUF LVL MRO MTL NLG PTE ROL SIT SKK
    SLL STD TRL VEF ZMK ZWL
    """
)

UK_OCIDS = ("ocds-h6vhtk", "ocds-b5fd17", "ocds-r6ebe6", "ocds-kuma6s")
"""The prefixes that OCDS gave Find a Tender, Contracts Finder, Public Contracts Scotland and Sell2Wales."""

PROCUREMENT_METHODS = ("open", "selective", "limited", "direct")
"""The codes of OCDS for `tender.procurementMethod`."""

COMPETED = {"open": True, "selective": True, "direct": False}
"""Whether a method is a competition. `limited` may be either: the buyer asks one supplier, or several."""

BID_COUNT_MEASURES = ("bids", "validBids", "electronicBids")
"""Measures that count bids, best first. Requests to take part are not bids."""

TENDER_ENDED_WITHOUT_AWARD = frozenset({"unsuccessful", "cancelled", "withdrawn"})
"""`tender.status` and `lots[].status` codes of a procedure that made no contract."""

CLOSING_TAGS = frozenset({"tenderCancellation", "awardCancellation", "contractTermination"})
"""Release tags that report an end. Never part of what was known at a stage."""

CLOSING_DOCUMENTS = frozenset(
    {"UK11", "UK12", "cancellationDetails", "contractTerminationNotice", "tenderCancellationNotice"}
)
"""`documentType` and `noticeType` codes that report an end. Never part of what was known at a stage."""

NoticeMeaning = Literal["plan", "call", "award", "contract", "contract end", "procurement end", "market", "payments"]
UK_NOTICES: dict[str, NoticeMeaning] = {
    "UK1": "plan",  # pipeline: contracts over £2m that are planned for the next 18 months
    "UK2": "plan",  # preliminary market engagement
    "UK3": "plan",  # planned procurement
    "UK4": "call",  # tender
    "UK5": "call",  # transparency: a direct award is intended. There is no award yet
    "UK6": "award",  # contract award: the authority intends to enter into a contract, and a standstill may run
    "UK7": "contract",  # contract details: the contract was entered into
    "UK8": "contract",  # contract payment: more than £30,000 was paid under the contract
    "UK9": "contract",  # contract performance: ratings of key performance indicators, breach, failure to perform
    "UK10": "contract",  # contract change: the contract will be modified
    "UK11": "contract end",  # contract termination: any end, discharge and expiry included
    "UK12": "procurement end",  # procurement termination: after a tender or transparency notice, nothing is awarded
    "UK13": "market",  # dynamic market intention
    "UK14": "market",  # dynamic market established
    "UK15": "market",  # dynamic market modified
    "UK16": "market",  # dynamic market ceases to operate
    "UK17": "payments",  # payments compliance: how fast the authority pays everybody
}
"""What the notices of the Procurement Act 2023 say of a procurement. A market is a list of suppliers: neither it nor
its end is an award or the lack of one. Source: Procurement Regulations 2024 (SI 2024/692)."""

NOTICE_DOCUMENTS: dict[str, NoticeMeaning] = {
    "procurementPlan": "plan",
    "marketEngagementNotice": "plan",
    "plannedProcurementNotice": "plan",
    "tenderNotice": "call",
    "biddingDocuments": "call",
    "awardNotice": "award",
    "contractSigned": "contract",
    "contractNotice": "contract",
    "implementationNotice": "contract",
    "contractTerminationNotice": "contract end",
    "tenderCancellationNotice": "procurement end",
    "cancellationDetails": "procurement end",
}
"""What `documentType` codes say of a procurement, where there is no `noticeType`. Source: OCDS 1.1, UK extension."""

LATER_DOCUMENTS = CLOSING_DOCUMENTS | _words(
    """
    UK6 UK7 UK9 UK10 awardNotice implementationNotice contractSigned evaluationReports winningBid
    completionCertificate finalAudit physicalProgressReport financialProgressReport
    """
)
"""Documents that do not exist before the award."""

AWARD_TAGS = frozenset({"award", "awardUpdate"})
CONTRACT_TAGS = frozenset({"contract", "contractUpdate"})
AFTER_SIGNATURE_TAGS = frozenset({"contractAmendment", "implementation", "implementationUpdate"} | CLOSING_TAGS)

STANDARD_FIELDS = _words(
    """
    aboveThreshold acceptsEmploymentAgreement accessDetails accountIdentification
    additionalClassifications additionalContactPoints additionalIdentifiers additionalProperties
    address agreedMetrics amendedAmount amendment amendments amendsReleaseID amount amountGross
    appealedDecisions attachments author awardCriteria awardCriteriaDetails awardID awardPeriod
    awards awardsGroup baseCurrency beneficialOwners bids bidValidityPeriod bidOpening budget
    budgetBreakdown buyer buyersProfile category changedAt changedFields changes classification
    classifications clarificationMeetings codeList communication complaints concession condition
    conflictProhibition contactPoint contractID contractPeriod contractTerms contracts
    contractsFinder costs country countryName countryOfOrigin coveredBy criteria
    crossBorderLaw currency customTerms date dateCreated dateMet dateModified datePublished
    dateReceived dateSigned dateTerminated deliveryAddress deliveryAddresses deliveryLocation
    description designContest details directContractReason documentType documents dueDate duration
    durationInDays dynamicPurchasingSystem electronicCatalogue electronicSubmissionPolicy
    eligibilityCriteria email endDate enquiries enquiryPeriod envelope estimatedValue
    exclusionGrounds expenditureCategory expressionOfInterestDeadline
    expressionsOfInterest extendsContractID extensions faxNumber finalStatus finalStatusDetails
    financialTerms finance format frameworkAgreement functions futureNoticeDate geometry guarantees
    hasClubbedContracts hasDynamicPurchasingSystem hasElectronicAuction hasElectronicOrdering
    hasElectronicPayment hasEnquiries hasEssentialAssets hasExclusiveRights hasFrameworkAgreement
    hasOptions hasRecurrence hasRenewal hasSubcontracting highestValue id identifier identifiers
    implementation initiationType isDesignTeamContest items jurisdiction key keyPerformanceIndicators
    language languages latestDate latestEngagementDate legalBasis legalEntityTypeDetail legalName
    license limit linkedProperty links listedOnRegulatedMarket locality location lotDetails lotGroups
    lots lowestBidderDetails mainProcurementCategory maxExtentDate maxQuantity maximumAmount
    maximumLotsAwardedPerSupplier maximumLotsBidPerSupplier maximumParticipants maximumValue measure
    memberOf milestones minValue minimumParticipants minimumValue name naturalPersons negotiationPolicy
    newContract noEngagementNoticeRationale noLotsDivisionRationale noPublicContractRationale nodes
    noticeType numberOfTenderers observations ocid offersPeriod onlineAccess options
    otherRequirements organizations pageEnd pageStart participationFees parties percentage
    performanceFailures performanceTerms period periodRationale permitted person planning position
    postalCode prevExtendsContractID previousClassification price priority procurementIntention
    procurementMethod procurementMethodDetails procurementMethodRationale
    procurementMethodRationaleClassifications procuringEntity project projectID publicationPolicy
    publishedDate publisher purchaseMethod quantity rating rationale recordDetails
    recurrence region relatedBid relatedDocument relatedItem relatedItems relatedLot relatedLots
    relatedMilestone relatedOrganization relatedParty relatedPerson relatedProcess relatedProcesses
    relationship relativeValue release releaseID releaseTag remedies renewal requirements reservedExecution
    reservedParticipation resultingRank reviewDetails risk riskDetails roleDetails roles scale scheme
    secondStage securityClearanceDeadline selectionCriteria serviceFees serviceIndex shareholders
    signatories sources specialRegime specificWeight stage startDate statistics status statusDetails
    streetAddress subcontracting subcontractors subject submissionMethod submissionMethodDetails
    submissionTerms suitability summary suppliers suppliersAdded suppliersRemoved surveyResults tag
    taxes techniques telephone tender tenderPeriod tenderers terminationRationale
    relatedBids metrics terminationRationaleClassifications terms title transactions type unit
    unstructuredChanges uri url
    value valueAddedTax valueCalculationMethod variantPolicy variants vcse vehicles
    weightingDescription weights workforce sme sustainability strategies x_sme x_vcse x_ni
    x_buyerIsPublicSector cpvCodes hasCrossBorderInterest
    additionalProcurementCategories assessmentSummariesDateSent durationInMonths finalStatusDate
    noAgreedMetricsRationale procurementMethodRationaleLegalBasis proposedAmendments rationaleClassifications
    standstill standstillPeriod terminationRationaleClassification
    hasAccessibilityCriteria maximumRenewals titleLanguage accessDetailsURL multipleBidsAllowed deliveryLocations
    wasDerivedFrom multilingualDescriptions numbers hasSustainability orderRationale
    """
)
"""Field names of OCDS 1.1, its extensions, the UK extension and OCDS for eForms. Any other name earns a warning."""

LATER_ROLES = {
    "draft": frozenset({"tenderer", "candidate", "leadTenderer", "enquirer", "interestedParty"}),
    "bids_in": frozenset({"supplier", "subcontractor", "guarantor"}),
    "awarded": frozenset({"payer", "payee", "removedSupplier"}),
}
"""Party roles by the last stage at which nobody has them yet."""
